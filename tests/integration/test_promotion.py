"""A bundle takes over while issues and corrections go on arriving, and goes back; nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.classify.build import build_bundle
from bot.classify.bundle import MANIFEST, MODELS, read_bundle
from bot.core.text import issue_text
from bot.errors import UserError
from bot.jobs.context import Context
from bot.jobs.learning import learn
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.refit import refit_repository
from bot.jobs.queue import TASK_LEARN, TASK_REFIT
from bot.jobs.rollout import takeover
from bot.jobs.rollout.watching import look_after
from bot.sandbox.server import SandboxServer
from bot.store import heads, issues, refits, repositories, runs
from tests.integration.down_the_road import Road
from tests.integration.jobs_at_hand import REPO, queued
from tests.integration.takeovers import MOVING, Deployment
from tests.integration.test_refit import correct, taught


@pytest.fixture(scope="session")
def other_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model again, cut at 12 tokens: another bundle with other vectors."""
    out = tmp_path_factory.mktemp("other") / "bundle"
    build_bundle(tiny_weights, out, max_tokens=12)
    return out


@pytest.fixture(scope="session")
def third_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("third") / "bundle"
    build_bundle(tiny_weights, out, max_tokens=20)
    return out


@pytest.fixture
def there(
    context: Context, sandbox: SandboxServer, tiny_bundle: Path, other_bundle: Path, tmp_path: Path
) -> Deployment:
    repository_id = taught(context, sandbox, 40)
    with context.database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    return Deployment(context, repository_id, tiny_bundle, other_bundle, tmp_path / "bundles")


@pytest.fixture
def old(tiny_bundle: Path) -> str:
    return read_bundle(tiny_bundle).manifest.bundle_id


@pytest.fixture
def new(other_bundle: Path) -> str:
    return read_bundle(other_bundle).manifest.bundle_id


def probability(there: Deployment, issue_id: int, label: str) -> float:
    """By the head that serves, on the vectors of its own bundle."""
    stored = there.serving
    with there.context.database.session() as session:
        head, issue = there.context.head(session, stored.id), issues.get(session, issue_id)
        encoder = there.context.encoder_of(session, stored.bundle)
    assert issue is not None
    told = issue_text(issue.title, issue.body)
    (row,) = head.score([told], encoder.encode([told.joined]), ["NONE"])
    return next(score.probability for score in row if score.label == label)


def opened(there: Deployment, sandbox: SandboxServer) -> Road:
    number = sandbox.open_issue(REPO, title="crash error", body="closed file")
    with there.context.database.session() as session:
        row = repositories.get(session, there.repository_id)
    assert row is not None
    return Road(there.context, sandbox, there.repository_id, row.installation_id, number)


# -- there and back -----------------------------------------------------------------------------------


def test_from_promotion_to_swap_to_rollback_with_corrections_all_along(
    there: Deployment, sandbox: SandboxServer, old: str, new: str
) -> None:
    said = there.promote()
    assert said.endswith("takes over 1 repositories in the background.")
    assert there.states == {old: "champion", new: "challenger"}
    assert there.serving.bundle == old

    road = opened(there, sandbox)
    assert "applied" in road.label()
    assert (there.vectors(old), there.vectors(new)) == (41, 1)

    during = correct(there.context, there.repository_id, 1, removed="bug")
    assert "refitted bug" in refit_repository(there.context, repository_id=there.repository_id)
    assert there.serving.bundle == old
    assert probability(there, during, "bug") < 0.1

    assert there.work_off(*MOVING) == ["embed", "swap"]
    assert there.states == {old: "previous", new: "champion"}
    assert there.serving.bundle == new
    assert probability(there, during, "bug") < 0.1
    assert there.vectors(old) == there.vectors(new) == 41

    after = correct(there.context, there.repository_id, 3, removed="bug")
    refit_repository(there.context, repository_id=there.repository_id)
    assert there.serving.bundle == new
    assert probability(there, after, "bug") < 0.1

    assert "serves 1 repositories again" in there.demote()
    assert there.states == {old: "champion", new: "retired"}
    assert there.serving.bundle == old
    assert probability(there, during, "bug") < 0.1
    there.work_off(TASK_LEARN)
    assert there.serving.bundle == old
    assert probability(there, after, "bug") < 0.1


def test_a_correction_after_the_last_look_is_learned_by_the_new_head(there: Deployment) -> None:
    """It was stored while the new head was being fitted, so that head misses it: its refit follows."""
    there.promote()
    there.work_off("embed")
    issue_id = correct(there.context, there.repository_id, 1, removed="bug")
    there.work_off("swap")
    there.work_off(TASK_REFIT)
    assert probability(there, issue_id, "bug") < 0.1


def test_workers_hold_two_encoders_at_most(
    there: Deployment, third_bundle: Path, new: str, old: str
) -> None:
    there.promote()
    there.work_off(*MOVING)
    assert there.context.encoders.open == (old, new)
    there.promote(third_bundle)
    there.work_off(*MOVING)
    assert there.context.encoders.open == (new, there.serving.bundle)


def test_issues_and_labels_are_decided_by_the_bundle_of_the_repository(
    there: Deployment, sandbox: SandboxServer, new: str
) -> None:
    there.promote()
    there.work_off(*MOVING)
    road = opened(there, sandbox)
    road.label()
    with there.context.database.session() as session:
        found = session.execute(text("SELECT DISTINCT bundle, head_id FROM decisions")).all()
    assert found == [(new, there.serving.id)]


def test_a_repository_that_was_away_follows_when_it_is_back(there: Deployment, new: str) -> None:
    with there.context.database.session() as session:
        session.execute(text("UPDATE repositories SET status = 'paused'"))
    assert "takes over 0" in there.promote()
    assert there.states[new] == "champion"
    with there.context.database.session() as session:
        session.execute(text("UPDATE repositories SET status = 'ready'"))
    look_after(there.context.database)
    assert there.work_off(*MOVING) == ["embed", "swap"]
    assert there.serving.bundle == new


def test_a_daily_fit_stays_with_the_bundle_that_serves(
    there: Deployment, old: str, new: str
) -> None:
    there.promote()
    learn_repository(there.context, repository_id=there.repository_id, reason="daily")
    assert there.serving.bundle == old
    there.work_off(*MOVING)
    learn_repository(there.context, repository_id=there.repository_id, reason="daily")
    assert there.serving.bundle == new


def test_a_repository_that_moved_first_stays_with_the_challenger(
    there: Deployment, old: str, new: str
) -> None:
    with there.context.database.session() as session:
        row = repositories.get(session, there.repository_id)
        assert row is not None
        repositories.upsert(
            session, id=99, installation_id=row.installation_id,
            full_name="acme/slow", private=False,
        )  # fmt: skip
        slow = heads.save(
            session, 99, artefact=b"", expectation={}, bundle=old, backend="int8", reason="test"
        )
        repositories.activate_head(session, 99, slow)
    there.promote()
    there.work_off(*MOVING, most=2)
    takeover.swap_repository(there.context, repository_id=there.repository_id, bundle=new)
    assert there.states == {old: "champion", new: "challenger"}
    learn_repository(there.context, repository_id=there.repository_id, reason="daily")
    assert there.serving.bundle == new


def test_a_repository_without_labels_holds_nobody_up(there: Deployment, new: str) -> None:
    with there.context.database.session() as session:
        session.execute(text("UPDATE labels SET deleted_at = now()"))
    there.promote()
    there.work_off(*MOVING)
    assert there.states[new] == "champion"
    with there.context.database.session() as session:
        assert heads.active(session, there.repository_id) is None


# -- no-ops and refusals ------------------------------------------------------------------------------


def test_what_serves_is_not_promoted_again(there: Deployment, old: str, new: str) -> None:
    assert "serves already" in there.promote(there.old)
    assert there.states == {old: "champion"}
    there.promote()
    there.work_off(*MOVING)
    assert "serves already" in there.promote()
    assert (there.states, queued(there.context)) == ({old: "previous", new: "champion"}, [])


def test_the_same_promotion_goes_on_and_another_one_waits(
    there: Deployment, third_bundle: Path, new: str
) -> None:
    there.promote()
    there.promote()
    assert [name for name, _ in queued(there.context)] == ["embed"]
    with pytest.raises(UserError, match=f"{new}.*models demote"):
        there.promote(third_bundle)


def test_there_is_nothing_to_go_back_to(there: Deployment) -> None:
    with pytest.raises(UserError, match="nothing to go back to"):
        there.demote()


def test_the_next_promotion_ends_the_way_back_and_clears_away(
    there: Deployment, third_bundle: Path, old: str, new: str
) -> None:
    there.promote()
    there.work_off(*MOVING)
    assert there.vectors(old) == 40
    there.promote(third_bundle)
    assert there.vectors(old) == 0
    assert not (there.place / old).exists()
    assert (there.place / new / MANIFEST).exists()
    with there.context.database.session() as session:
        known = {row.version: row.bundle for row in heads.versions(session, there.repository_id)}
        assert {known[version] for version in heads.kept(session, there.repository_id)} == {new}
    there.demote()
    assert there.serving.bundle == new


def test_copies_that_broke_off_are_cleared_away_and_the_bundle_of_the_settings_is_not(
    there: Deployment, third_bundle: Path, old: str
) -> None:
    inside = there.place / old
    shutil.copytree(there.old, inside)
    there = replace(there, old=inside)
    broken, arriving = there.place / f".{old}-died", there.place / f".{old}-lives"
    for path in (broken, arriving):
        path.mkdir()
    os.utime(broken, (0, 0))
    there.promote()
    assert not broken.exists()
    assert arriving.is_dir(), "somebody may be writing it"
    there.work_off(*MOVING)
    there.promote(third_bundle)
    assert inside.is_dir(), "retired, but what serves if the database is begun anew"


def test_the_last_head_of_the_bundle_before_is_never_pruned(
    there: Deployment, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "NEWEST", 1)
    monkeypatch.setattr(heads, "WHOLE", 1)
    there.promote()
    there.work_off(*MOVING)
    for _ in range(3):
        learn_repository(there.context, repository_id=there.repository_id, reason="daily")
    there.demote()
    assert (there.serving.bundle, there.serving.version) == (old, 1)


def test_the_first_promotion_needs_no_bundle_before_it(
    there: Deployment, tmp_path: Path, new: str
) -> None:
    away = replace(there, old=tmp_path / "nowhere")
    away.promote()
    assert away.states == {new: "challenger"}
    away.work_off(*MOVING)
    assert (away.states, away.serving.bundle) == ({new: "champion"}, new)
    with pytest.raises(UserError, match="nothing to go back to"):
        away.demote()


def test_no_room_for_what_serves_is_no_promotion(
    there: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, to: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(UserError, match="No space left on device"):
        there.promote()
    assert (there.states, queued(there.context)) == ({}, [])


# -- faults -------------------------------------------------------------------------------------------


def cut_short(bundle: Path) -> None:
    path = bundle / MODELS["int8"]
    path.write_bytes(path.read_bytes()[:-100])


def of_another_text(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps({**manifest, "text_version": 999}))


def half_copied(bundle: Path) -> None:
    (bundle / MANIFEST).unlink()


def out_of_bounds(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text())
    files = {**manifest["files"], "../../escaped": "0" * 64}
    (bundle / MANIFEST).write_text(json.dumps({**manifest, "files": files}))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut_short, "changed or cut short"),
        (of_another_text, "issue text version 999"),
        (half_copied, "No bundle at"),
        (out_of_bounds, "no plain file"),
    ],
)
def test_a_bundle_that_must_not_serve_is_refused(
    there: Deployment, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(there.new, broken)
    damage(broken)
    before = there.serving.id
    with pytest.raises(UserError, match=told):
        there.promote(broken)
    assert (there.states, there.serving.id, queued(there.context)) == ({}, before, [])
    assert not there.place.exists()


def test_a_full_disk_leaves_nothing_behind(
    there: Deployment, old: str, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> None:
    there.promote(there.old)  # puts what serves on record
    copy, room = shutil.copyfile, iter([True, True])

    def filling_up(source: Any, to: Any) -> Any:
        if next(room, False):
            return copy(source, to)
        Path(to).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", filling_up)
    with pytest.raises(UserError, match="No space left on device; nothing has changed"):
        there.promote()
    assert there.states == {old: "champion"}
    assert [path.name for path in there.place.iterdir()] == [old]
    assert "applied" in opened(there, sandbox).label()
    monkeypatch.undo()
    assert "takes over" in there.promote()


def test_a_half_copy_in_the_place_is_not_picked_up(there: Deployment, new: str) -> None:
    """Left by a copy that was not ours to finish: it is replaced by a whole one."""
    half = there.place / new
    half.mkdir(parents=True)
    shutil.copyfile(there.new / MANIFEST, half / MANIFEST)
    there.promote()
    read_bundle(half)
    there.work_off(*MOVING)
    assert there.serving.bundle == new


def test_embedding_goes_on_where_it_was_stopped(
    there: Deployment, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.learning.features.EMBED_AT_ONCE", 8)
    monkeypatch.setattr(takeover, "SLICE", 16)
    there.promote()
    with there.context.database.session() as session:
        encoder = there.context.encoder_of(session, new)
    encode, calls = encoder.encode, []

    def dying(texts: list[str]) -> Any:
        calls.append(len(texts))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return encode(texts)

    monkeypatch.setattr(encoder, "encode", dying)
    args = {"repository_id": there.repository_id, "bundle": new}
    with pytest.raises(KeyboardInterrupt):
        takeover.embed_repository(there.context, **args)
    assert there.vectors(new) == 8
    assert there.work_off(*MOVING) == ["embed", "embed", "swap"]
    assert there.serving.bundle == new
    assert sum(calls[2:-1]) == 32  # no issue twice; the last call is for the labels


def test_a_challenger_that_a_worker_cannot_open_is_taken_back(
    there: Deployment, sandbox: SandboxServer, old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    with there.context.database.session() as session:
        run_id = runs.create(
            session, reason="test", launcher="local", directory=Path("x"), snapshot="s"
        )
    there.promote(run_id=run_id)
    cut_short(there.place / new)
    assert "applied" in opened(there, sandbox).label()
    assert there.work_off(*MOVING) == ["embed ignored"]
    assert there.states == {old: "champion", new: "retired"}
    assert there.serving.bundle == old
    assert "a worker cannot use it" in caplog.text
    with there.context.database.session() as session:
        assert "Taken back: a worker cannot use it" in runs.get(session, run_id).outcome


def test_a_swap_that_comes_too_late_changes_nothing(
    there: Deployment, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the bundle back while a head is being fitted on it."""
    there.promote()
    there.work_off("embed")
    settle = learn.settle

    def late(*args: Any, **more: Any) -> str:
        there.demote()
        return settle(*args, **more)

    monkeypatch.setattr(learn, "settle", late)
    there.work_off("swap")
    assert (there.serving.bundle, there.states[new]) == (old, "retired")
    with there.context.database.session() as session:
        latest = refits.of_repository(session, there.repository_id)[0]
    assert (latest.swapped, latest.reason) == (False, "its bundle was taken back")

"""A bundle takes over while issues and corrections go on arriving, and goes back; nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.classify.build import build_bundle
from bot.classify.bundle import MANIFEST
from bot.core.text import issue_text
from bot.errors import UserError
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.refit import refit_repository
from bot.jobs.queue import TASK_LEARN, TASK_REFIT
from bot.jobs.rollout import takeover
from bot.jobs.rollout.watching import look_after
from bot.sandbox.server import SandboxServer
from bot.store import heads, issues, repositories
from tests.integration.jobs_at_hand import queued
from tests.integration.lessons import correct
from tests.integration.takeovers import MOVING, Deployment, opened


@pytest.fixture(scope="session")
def third_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("third") / "bundle"
    build_bundle(tiny_weights, out, max_tokens=20)
    return out


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

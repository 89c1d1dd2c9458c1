"""A promotion that is refused, breaks off or comes too late leaves what serves as it was."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.classify.bundle import MANIFEST, MODELS, read_bundle
from bot.errors import UserError
from bot.jobs.learning import learn
from bot.jobs.rollout import takeover
from bot.sandbox.server import SandboxServer
from bot.store import refits, runs
from tests.integration.jobs_at_hand import queued
from tests.integration.takeovers import MOVING, Deployment, opened


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


def test_two_workers_take_back_one_bundle_not_two(
    there: Deployment, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both found that they cannot open it; what serves instead is not to be blamed for that."""
    there.promote()
    cut_short(there.place / new)
    demote = takeover.demote

    def after_another(*args: Any, **more: Any) -> str:
        demote(*args, **more)
        return demote(*args, **more)

    monkeypatch.setattr(takeover, "demote", after_another)
    assert there.work_off(*MOVING) == ["embed ignored"]
    assert there.states == {old: "champion", new: "retired"}


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

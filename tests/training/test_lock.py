"""One fit at a time writes into a directory, and a dead one keeps nobody out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.errors import UserError
from training import lock
from training.lock import LOCK, holder, locked


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)


HOLD = """
import sys
from pathlib import Path
from training import lock
from training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def held_by_another(directory: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLD, str(directory)]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def ended(process: subprocess.Popen[str], sent: signal.Signals) -> None:
    process.send_signal(sent)
    process.communicate()


def test_who_writes_there_is_named_and_what_to_do_said(tmp_path: Path) -> None:
    out = tmp_path / "run" / "fit"
    other = held_by_another(out)
    try:
        assert holder(out).startswith(f"process {other.pid} on ")
        with (
            pytest.raises(UserError, match=rf"process {other.pid} on .* Wait .* another --out"),
            locked(out),
        ):
            pass
    finally:
        ended(other, signal.SIGKILL)
    assert (out / LOCK).exists(), "it had no time to take it along"
    assert holder(out) == ""
    with locked(out):
        assert holder(out).startswith(f"process {os.getpid()} on ")
    assert list(out.iterdir()) == []


def test_a_lock_that_is_let_go_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is gone by then: a lock on it would keep nobody out."""
    first = locked(tmp_path)
    first.__enter__()
    opened = os.open

    def late(path: Path, *how: int) -> int:
        found = opened(path, *how)
        monkeypatch.setattr(os, "open", opened)
        first.__exit__(None, None, None)
        return found

    monkeypatch.setattr(os, "open", late)
    with locked(tmp_path):
        assert holder(tmp_path) != ""
        with pytest.raises(UserError), locked(tmp_path):
            pass


def test_a_place_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="no run can be kept there"), locked(tmp_path / "file"):
        pass
    assert holder(tmp_path / "nowhere") == ""

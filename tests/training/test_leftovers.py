"""What died on its way is cleared away, and nothing that somebody may be writing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.leftovers import clear_begun, clear_boxes, clear_run

OLD = (0, 0)


def made(root: Path, *names: str, old: bool = True) -> list[Path]:
    """Directories with a file each, last written long ago."""
    for name in names:
        (root / name / "snapshot").mkdir(parents=True)
        (root / name / "snapshot" / "issues.parquet").write_bytes(b"some")
    paths = [root / name for name in names]
    for path in (one for place in paths for one in (*place.rglob("*"), place)):
        os.utime(path, OLD if old else None)
    return paths


@pytest.mark.parametrize(("fitted", "stays"), [(False, {".arriving-x"}), (True, set())])
def test_exports_that_broke_off_and_what_boxes_did_not_bring(
    tmp_path: Path, fitted: bool, stays: set[str]
) -> None:
    made(tmp_path, ".bundle-x", ".arriving-x", "fit", old=False)
    clear_run(tmp_path, fitted=fitted)
    assert {path.name for path in tmp_path.iterdir()} == {"fit", *stays}


def test_runs_that_died_before_they_were_on_record(tmp_path: Path) -> None:
    died, cut, other = made(tmp_path, "20260101T000000000001", "20260101T000000000002", "mine")
    (cut / "snapshot" / "manifest.json").write_text("{}")
    (cutting,) = made(tmp_path, "20260101T000000000003", old=False)
    os.utime(cutting, OLD)
    clear_begun(tmp_path)
    assert set(tmp_path.iterdir()) == {cut, other, cutting}
    assert not died.exists()


def test_runs_that_a_box_lost(tmp_path: Path) -> None:
    lost, mine, other = made(tmp_path, "run-1", "run-2", "other")
    (busy,) = made(tmp_path, "run-3", old=False)
    clear_boxes(tmp_path, but=mine)
    assert set(tmp_path.iterdir()) == {mine, other, busy}
    assert not lost.exists()

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.scoring.cores import granted, use_cores


@pytest.mark.parametrize(
    ("told", "processors"),
    [("200000 100000\n", 2), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", 2**16)],
)
def test_a_container_says_how_much_it_is_given(tmp_path: Path, told: str, processors: int) -> None:
    (tmp_path / "cpu.max").write_text(told)
    assert granted(tmp_path / "cpu.max") == processors


def test_threads_are_never_more_than_granted_nor_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    (tmp_path / "cpu.max").write_text("200000 100000")
    assert use_cores(tmp_path / "cpu.max") == 2
    assert use_cores(tmp_path / "none") == 8
    assert asked == [2, 8]

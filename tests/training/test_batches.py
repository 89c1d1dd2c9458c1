from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.batches import epoch_batches, pad, repository_batches
from training.fit import unlabelled
from training.fit.unlabelled import Stream


def test_every_row_once_and_the_seed_fixes_the_order() -> None:
    lengths = list(np.random.default_rng(0).integers(3, 60, 101))
    first = epoch_batches(lengths, size=16, seed=(1, 0))
    assert sorted(np.concatenate(first).tolist()) == list(range(101))
    again = epoch_batches(lengths, size=16, seed=(1, 0))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in again]
    other = epoch_batches(lengths, size=16, seed=(1, 1))
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in other]


def test_like_lengths_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(3, 200, 960)
    batches = epoch_batches(lengths.tolist(), size=32, seed=(0, 0))
    padded = sum(int(lengths[rows].max()) * len(rows) for rows in batches)
    unsorted = sum(int(lengths[i : i + 32].max()) * 32 for i in range(0, 960, 32))
    assert padded < 0.7 * unsorted


def test_fewer_rows_than_a_batch() -> None:
    (rows,) = epoch_batches([4, 9, 2], size=32, seed=(0, 0))
    assert sorted(rows.tolist()) == [0, 1, 2]


def test_padding_is_masked() -> None:
    ids, mask = pad([[5, 6, 7], [8]])
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_batches_of_few_repositories() -> None:
    rng = np.random.default_rng(0)
    lengths, repo = rng.integers(3, 200, 500).tolist(), rng.integers(0, 20, 500)
    batches = repository_batches(lengths, repo, size=16, repos=2, seed=(3,))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(np.unique(repo[rows])) <= 2 for rows in batches)
    assert 14 < np.mean([len(rows) for rows in batches]) < 18
    again = repository_batches(lengths, repo, size=16, repos=2, seed=(3,))
    assert [rows.tolist() for rows in batches] == [rows.tolist() for rows in again]


def test_a_stream_goes_over_its_rows_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes in later reads on the same; a large pool is put in order once a pass."""
    ordered: list[object] = []

    def counted(lengths: list[int], **how: Any) -> Any:
        ordered.append(how["seed"])
        return epoch_batches(lengths, **how)

    monkeypatch.setattr(unlabelled, "epoch_batches", counted)
    rows, lengths = np.array([3, 1, 4, 9, 2, 2, 7]), list(range(10, 20))
    stream = Stream(rows, lengths, size=2, seed=(5,))
    read = [stream.batch(number).tolist() for number in range(12)]
    assert ordered == [(5, 0), (5, 1), (5, 2)]
    for start in (0, 4, 8):
        assert sorted(row for batch in read[start : start + 4] for row in batch) == sorted(
            rows.tolist()
        )
    resumed = Stream(rows, lengths, size=2, seed=(5,))
    assert [resumed.batch(number).tolist() for number in range(9, 12)] == read[9:]

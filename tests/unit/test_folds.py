"""Blocks go forward in time; repeats of an issue are found."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from bot.classify import folds
from bot.classify.folds import (
    BLOCKS,
    FIRST,
    MIN_PAST,
    REPEAT,
    WINDOW,
    forward_blocks,
    repeats,
)


@given(st.integers(0, 300), st.floats(0.1, 1), st.integers(0, 99))
def test_every_block_is_taught_by_all_before_it_and_by_nothing_else(
    n: int, share: float, seed: int
) -> None:
    informed = np.random.default_rng(seed).random(n) < share
    blocks = forward_blocks(informed)
    assert bool(blocks) == (informed.sum() - max(MIN_PAST, round(FIRST * informed.sum())) >= BLOCKS)
    for block in blocks:
        assert (block.past.start, block.past.stop) == (0, block.now.start)
        assert informed[block.past].sum() >= MIN_PAST
        assert informed[block.now].any()
    for block, after in pairwise(blocks):
        assert block.now.stop == after.now.start
    assert not blocks or blocks[-1].now.stop == n


def test_blocks_hold_about_as_many_informed_rows() -> None:
    informed = np.arange(1000) % 3 == 0
    sizes = [informed[block.now].sum() for block in forward_blocks(informed)]
    assert max(sizes) - min(sizes) <= 1


def alike() -> np.ndarray:
    """Rows of which 1500 and 2999 repeat 3 and 1400, and the last fifty one text."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3050, 48))
    vectors[[1500, 2999]] = vectors[[3, 1400]] + 0.02 * rng.normal(size=(2, 48))
    vectors[3000:] = vectors[3000]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def test_repeats_are_the_later_ones() -> None:
    vectors = alike()
    exact = np.tril(vectors @ vectors.T > REPEAT, k=-1).any(axis=1)
    words = csr_matrix(np.ones((len(vectors), 2), np.float32))
    found = np.flatnonzero(repeats(vectors, words)).tolist()
    assert found == np.flatnonzero(exact).tolist() == [1500, 2999, *range(3001, 3050)]
    assert np.flatnonzero(repeats(vectors, words, start=2000)).tolist() == found[1:]


def test_an_encoder_that_sees_nothing_but_the_label_makes_no_repeats() -> None:
    """The better it is tuned, the nearer are the vectors of a label: were they repeats, nothing would be
    left to prove its worth by."""
    vectors = np.repeat(np.eye(2, dtype=np.float32), 200, axis=0)
    words = np.random.default_rng(0).poisson(0.2, size=(400, 100)).astype(np.float32)
    words[[7, 150, 399]] = words[[3, 149, 3]]  # the last repeats an issue of another label
    assert np.flatnonzero(repeats(vectors, csr_matrix(words))).tolist() == [7, 150]


def test_pairs_that_are_alike_are_those_of_a_look_at_every_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folds, "PAIRS", 100)  # the fifty make more
    vectors, rows = alike(), np.array([3, 7, 1500, *range(2000, 3050)])
    here, there = np.nonzero(vectors[rows] @ vectors.T > REPEAT)
    parts = list(folds.alike(vectors, rows))
    assert max(len(one) for one, _ in parts) <= 100
    found = {pair for part in parts for pair in zip(*map(np.ndarray.tolist, part), strict=True)}
    assert found == set(zip(rows[here].tolist(), there.tolist(), strict=True))
    assert {(3, 1500), (1500, 3), (2999, 1400), (3001, 3049)} <= found


def test_no_issue_repeats_nothing() -> None:
    nothing = np.zeros((0, 8), np.float32)
    assert repeats(nothing, csr_matrix((0, 2), dtype=np.float32)).shape == (0,)
    assert list(folds.alike(nothing, np.zeros(0, np.int64))) == []


def test_only_the_newest_window_is_scored() -> None:
    blocks = forward_blocks(np.ones(4 * WINDOW, dtype=bool))
    assert blocks[0].now.start == 3 * WINDOW
    assert len(blocks) == BLOCKS

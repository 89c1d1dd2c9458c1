"""Blocks go forward in time; repeats of an issue are found."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.classify.folds import BLOCKS, FIRST, MIN_PAST, WINDOW, forward_blocks, repeats


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


def test_repeats_are_the_later_ones() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3000, 48)).astype(np.float32)
    vectors[[1500, 2999]] = vectors[[3, 1400]] + 0.02 * rng.normal(size=(2, 48))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = repeats(vectors.astype(np.float32))
    exact = np.tril(vectors @ vectors.T > 0.985, k=-1).any(axis=1)
    assert np.flatnonzero(found).tolist() == np.flatnonzero(exact).tolist() == [1500, 2999]


def test_no_issue_repeats_nothing() -> None:
    assert repeats(np.zeros((0, 8), np.float32)).shape == (0,)


def test_only_the_newest_window_is_scored() -> None:
    blocks = forward_blocks(np.ones(4 * WINDOW, dtype=bool))
    assert blocks[0].now.start == 3 * WINDOW
    assert len(blocks) == BLOCKS

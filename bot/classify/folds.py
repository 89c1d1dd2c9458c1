"""Forward-chained evidence: which issues are scored by what was learned from issues before them.

An issue that repeats an earlier one is not scored: it would only show that the head can copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

MIN_PAST = 20
"""Issues with a known pair before the first block is scored."""
BLOCKS = 8
FIRST = 0.2
"""Share of the history that only teaches."""
WINDOW = 1500
"""Newest issues with a known pair that are scored at most: labelling habits of years ago promise little."""
REPEAT = 0.985
"""Cosine from which two issues count as the same text."""
SAME_WORDS = 0.75
"""Cosine of their word counts from which they may be so: no repeat that the base encoder finds in eight
repositories lies below it."""
CHUNK = 256
"""Rows that are held against all others at a time."""
PAIRS = 16_384
"""Pairs that are checked at a time."""
SKETCH = 64
SLACK = 0.02
"""Five standard errors of a cosine of `REPEAT` in `SKETCH` random dimensions."""


class Block(NamedTuple):
    """Rows `past` (everything before `now.start`) teach what scores the rows `now`."""

    past: slice
    now: slice


def forward_blocks(
    informed: NDArray[np.bool_],
    *,
    scored: NDArray[np.bool_] | None = None,
) -> tuple[Block, ...]:
    """`BLOCKS` blocks with equal numbers of `scored` rows, in time order; of all `informed` rows (those with a
    known pair) if not given.

    The `FIRST` share of the informed rows is only past, and so are all but the newest `WINDOW` of
    those to score. None at all for a history too short to teach and to test.
    """
    asked = informed if scored is None else informed & scored
    teachers = np.flatnonzero(informed)[: max(MIN_PAST, round(FIRST * informed.sum()))]
    rows = np.flatnonzero(asked)
    skip = max(int(asked[teachers].sum()), len(rows) - WINDOW)
    if len(rows) - skip < BLOCKS:
        return ()
    starts = rows[np.linspace(skip, len(rows), BLOCKS, endpoint=False).round().astype(int)]
    ends = [*starts[1:], len(informed)]
    return tuple(
        Block(slice(0, int(a)), slice(int(a), int(b))) for a, b in zip(starts, ends, strict=True)
    )


def repeats(
    vectors: NDArray[np.float32], counts: csr_matrix, *, start: int = 0
) -> NDArray[np.bool_]:
    """Rows from `start` on whose unit vector nearly equals that of an earlier row with much the same words
    (`counts` [n, any]); the rows before it are not asked. A tuned encoder may see nothing but the label,
    and must not decide alone what tests it."""
    found = np.zeros(len(vectors), dtype=np.bool_)
    for later, earlier in alike(vectors, np.arange(start, len(vectors))):
        later, earlier = later[earlier < later], earlier[earlier < later]
        # One pair of each row first: of thousands from one template no other needs a look.
        _, first = np.unique(later, return_index=True)
        for asked in (first, slice(None)):
            open_ = ~found[later[asked]]
            here, there = later[asked][open_], earlier[asked][open_]
            found[here[_same_words(counts[here], counts[there])]] = True
    return found


def _same_words(one: csr_matrix, other: csr_matrix) -> NDArray[np.bool_]:
    """Row by row."""
    common, *sizes = (
        np.asarray(a.multiply(b).sum(axis=1)).ravel()
        for a, b in ((one, other), (one, one), (other, other))
    )
    return np.asarray(common >= SAME_WORDS * np.sqrt(sizes[0] * sizes[1]))


def alike(
    vectors: NDArray[np.float32], rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (one of `rows`, any row) whose unit vectors nearly equal each other, a part at a time. Looked for
    in a random projection, where it is cheap, with some slack; then checked."""
    rng = np.random.default_rng(0)
    short = vectors @ rng.normal(size=(vectors.shape[1], SKETCH)).astype(np.float32)
    short /= np.maximum(np.linalg.norm(short, axis=1, keepdims=True), 1e-9)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        here, there = np.nonzero(short[part] @ short.T > REPEAT - SLACK)
        here = part[here]
        # Thousands of issues that a bot filed from one template make millions of pairs.
        for few in range(0, len(here), PAIRS):
            one, other = here[few : few + PAIRS], there[few : few + PAIRS]
            same = np.einsum("ij,ij->i", vectors[one], vectors[other]) > REPEAT
            yield one[same], other[same]

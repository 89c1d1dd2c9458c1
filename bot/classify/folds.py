"""Forward-chained evidence: which issues are scored by what was learned from issues before them.

An issue that repeats an earlier one is not scored: it would only show that the head can copy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_PAST = 20
"""Issues with a known pair before the first block is scored."""
REPEAT = 0.985
"""Cosine from which two issues count as the same text."""
CHUNK = 2048


class Block(NamedTuple):
    """Rows `past` (everything before `now.start`) teach what scores the rows `now`."""

    past: slice
    now: slice


def forward_blocks(
    informed: NDArray[np.bool_], *, blocks: int = 6, first: float = 0.3
) -> tuple[Block, ...]:
    """Blocks with equal numbers of `informed` rows (those with a known pair), in time order.

    The first `first` share of the informed rows is only past. None at all for a history too short
    to teach and to test.
    """
    rows = np.flatnonzero(informed)
    skip = max(MIN_PAST, round(first * len(rows)))
    if len(rows) - skip < blocks:
        return ()
    starts = rows[np.linspace(skip, len(rows), blocks, endpoint=False).round().astype(int)]
    ends = [*starts[1:], len(informed)]
    return tuple(
        Block(slice(0, int(a)), slice(int(a), int(b))) for a, b in zip(starts, ends, strict=True)
    )


def repeats(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows whose unit vector nearly equals that of an earlier row."""
    found = np.zeros(len(vectors), dtype=np.bool_)
    for start in range(0, len(vectors), CHUNK):
        rows = vectors[start : start + CHUNK]
        near = rows @ vectors[: start + len(rows)].T > REPEAT
        earlier = np.arange(near.shape[1])[None, :] < np.arange(start, start + len(rows))[:, None]
        found[start : start + len(rows)] = (near & earlier).any(axis=1)
    return found

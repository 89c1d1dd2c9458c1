"""What humans said of single issues, word for word: a head that was corrected does not repeat itself.

A linear refit moves thousands of issues a little; one correction moves its own issue hardly at all. So
the corrected pairs are remembered beside the linear part: the nearer an issue comes to a corrected one,
the more that correction counts, and for the same text it decides. A removal reaches further than an
addition, for silence costs a label and a wrong label costs trust. Refuses to raise what a removal
touched, and to lower what an addition did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bot.classify.folds import REPEAT

Floats = NDArray[np.float32]

SAME_TEXT = 0.9995
"""Cosine from which a text is the same but for numbers and spaces. `REPEAT` is not enough to apply what
has no proof: issues that a bot files from one template come as near, with other labels."""
REACH = {-1: (0.55, 0.94), 1: (0.85, SAME_TEXT)}
"""Cosines, from the repository's mean, at which a removal (-1) and an addition (+1) begin to count, and
count in full. From the origin a tuned encoder says little: there two of any three issues may lie above .7."""
SAID_YES, SAID_NO = 0.97, 0.05
"""Probability of a pair on whose text a human decided."""
REMEMBERED_AT = 0.9
"""Cut of such a pair, for a label that has a higher one or none: what a human set on the very same text
needs no proof from the label's record."""
KEPT = 2000
"""Newest remembered pairs of a repository; a look at them costs well under a millisecond."""


class Remembered(NamedTuple):
    """One pair as a human left it."""

    issue: int
    vector: Floats
    column: int
    sign: int
    trust: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Remembered pairs, oldest first: ids [m] of the issues, their vectors [m, d], label columns [m], +1
    or -1 [m], and how much each counts for issues other than its own text [m], in [0, 1]."""

    issues: NDArray[np.int64]
    vectors: Floats
    columns: NDArray[np.int32]
    signs: NDArray[np.int8]
    trust: Floats

    def __len__(self) -> int:
        return len(self.columns)

    @classmethod
    def empty(cls, dim: int) -> Memory:
        return cls.of((), dim=dim)

    @classmethod
    def of(cls, pairs: Sequence[Remembered], *, dim: int) -> Memory:
        """From pairs, oldest first; the newest `KEPT` stay."""
        kept = pairs[-KEPT:]
        return cls(
            np.array([pair.issue for pair in kept], np.int64),
            np.array([pair.vector for pair in kept], np.float32).reshape(len(kept), dim),
            np.array([pair.column for pair in kept], np.int32),
            np.array([pair.sign for pair in kept], np.int8),
            np.array([pair.trust for pair in kept], np.float32),
        )

    def knows(self, issue: int, column: int, sign: int) -> bool:
        """Whether exactly this was remembered."""
        here = (self.issues == issue) & (self.columns == column) & (self.signs == sign)
        return bool(here.any())

    def without(self, vectors: Floats) -> Memory:
        """What is left when the pairs of these issues, and of issues with the same text, are forgotten."""
        if not len(self) or not len(vectors):
            return self
        kept = (self.vectors @ vectors.T).max(axis=1) < REPEAT
        return Memory(
            self.issues[kept],
            self.vectors[kept],
            self.columns[kept],
            self.signs[kept],
            self.trust[kept],
        )

    def recall(
        self,
        probabilities: NDArray[np.float64],
        vectors: Floats,
        *,
        centre: Floats | float = 0.0,
    ) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        """Probabilities [n, L] after what is remembered, and where a human said yes (+1) or no (-1) of
        the same text [n, L]. Of one label the nearest pair counts, the newest among equals. `centre`: the
        repository's mean vector, for what all issues have in common makes no two alike."""
        moved, said = probabilities.copy(), np.zeros(probabilities.shape, np.int8)
        if not len(self) or not len(vectors):
            return moved, said
        # Rounded, for the product of one and the same text differs in its last digit from place to place.
        near = (_unit(vectors - centre) @ _unit(self.vectors - centre).T).round(5)
        for column in np.unique(self.columns):
            mine = np.flatnonzero(self.columns == column)[::-1]
            nearest = mine[near[:, mine].argmax(axis=1)]
            sign = self.signs[nearest]
            cosine = (vectors * self.vectors[nearest]).sum(axis=1)
            same = cosine >= np.where(sign < 0, REPEAT, SAME_TEXT)
            reach = _share(near[np.arange(len(near)), nearest], sign)
            share = np.where(same, 1.0, self.trust[nearest] * reach)
            moved[:, column] = _drawn(probabilities[:, column], sign, share)
            said[:, column] = np.where(same, sign, 0)
        return moved, said


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), dtype=np.float32)


def _share(cosine: Floats, sign: NDArray[np.int8]) -> NDArray[np.float64]:
    """How much a correction counts at that cosine, in [0, 1)."""
    begin = np.where(sign < 0, REACH[-1][0], REACH[1][0])
    full = np.where(sign < 0, REACH[-1][1], REACH[1][1])
    return np.asarray(np.clip((cosine - begin) / (full - begin), 0, 1))


def _drawn(
    p: NDArray[np.float64], sign: NDArray[np.int8], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities [n] drawn towards what was said, in log-odds, never away from it."""
    before = logit(np.clip(p, 1e-9, 1 - 1e-9))
    said = np.where(sign > 0, logit(SAID_YES), logit(SAID_NO))
    mixed = (1 - share) * before + share * said
    drawn = np.where(sign > 0, np.maximum(before, mixed), np.minimum(before, mixed))
    return np.asarray(np.where(share > 0, expit(drawn), p))

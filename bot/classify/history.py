"""What a repository has taught so far, as arrays. Values only; refuses histories out of time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.core.types import IssueText

WEAK = 0.3
"""How often a label of ours that nobody took off teaches: less than any person's word, for whether somebody
looked nobody knows."""


@dataclass(frozen=True, slots=True)
class History:
    """Issues, oldest first. `vectors` [n, d]: unit rows of the encoder that serves; `known` [n, L]:
    +1, -1 or 0; `times` [n]: seconds, never decreasing; `associations` [n]: of the author, if known;
    `counts` [n, IDS]: the words of texts and associations, where they were counted before (texts may
    then be empty); `weights` [n, L]: how often each known pair counts, once if not given; `unbiased`
    [n]: issues on which we did not act, all if not given: only these choose calibration and cuts; `seen`
    [n]: issues that the encoder learned from, none if not given: they teach, and choose nothing; `weak`
    [n, L]: labels that we set and nobody took off: they teach the sides a little, and are known nowhere
    else."""

    texts: Sequence[IssueText]
    vectors: NDArray[np.float32]
    known: NDArray[np.int8]
    times: NDArray[np.float64]
    associations: Sequence[str] | None = None
    counts: csr_matrix | None = None
    weights: NDArray[np.float32] | None = None
    unbiased: NDArray[np.bool_] | None = None
    seen: NDArray[np.bool_] | None = None
    weak: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.vectors), len(self.known), len(self.times)}
        if self.counts is None:
            sizes |= {len(each) for each in (self.texts, self.associations) if each is not None}
        else:
            sizes.add(self.counts.shape[0])
        if len(sizes) > 1:
            raise ValueError(f"texts, vectors, known, times differ in length: {sorted(sizes)}")
        if len(self.times) > 1 and (np.diff(self.times) < 0).any():
            raise ValueError("a history must be oldest first")

    @property
    def told(self) -> tuple[NDArray[np.int8], NDArray[np.float32] | None]:
        """What the sides learn from: pairs [n, L], our own labels among them, and how often each counts."""
        if self.weak is None or not self.weak.any():
            return self.known, self.weights
        ours = self.weak & (self.known == 0)
        weights = np.float32(1) if self.weights is None else self.weights
        told = np.where(ours, np.int8(1), self.known)
        return told, np.where(ours, np.float32(WEAK), weights)

    @property
    def informed(self) -> NDArray[np.bool_]:
        """[n]: issues with at least one known pair."""
        return np.asarray((self.known != 0).any(axis=1))

    @property
    def witnesses(self) -> NDArray[np.bool_]:
        """[n]: informed issues whose labels owe nothing to us."""
        return self.informed if self.unbiased is None else self.informed & self.unbiased

    @property
    def judges(self) -> NDArray[np.bool_]:
        """[n]: witnesses that the encoder did not learn from: of the others its vectors know the labels."""
        return self.witnesses if self.seen is None else self.witnesses & ~self.seen

    def only(self, rows: Sequence[int]) -> History:
        """Some of its issues, in time order; repeats are allowed."""
        kept = list(rows)
        return History(
            texts=[self.texts[row] for row in kept] if self.counts is None else (),
            vectors=self.vectors[kept],
            known=self.known[kept],
            times=self.times[kept],
            associations=[self.associations[row] for row in kept] if self.associations else None,
            counts=self.counts[kept] if self.counts is not None else None,
            weights=self.weights[kept] if self.weights is not None else None,
            unbiased=self.unbiased[kept] if self.unbiased is not None else None,
            seen=self.seen[kept] if self.seen is not None else None,
            weak=self.weak[kept] if self.weak is not None else None,
        )

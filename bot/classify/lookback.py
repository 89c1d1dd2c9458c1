"""A history as heads of its own days saw it: what calibration and cuts are chosen on.

Refuses to let an issue prove anything that taught what scored it: a repeat of an earlier one, one on which we
acted, one that the encoder learned from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.calibrate import Combiner, cross_probabilities, fit_combiner
from bot.classify.choices import MEMORY
from bot.classify.folds import forward_blocks, repeats
from bot.classify.history import History
from bot.classify.promise import Scored
from bot.classify.sides import EVIDENCE, Sides

Floats = NDArray[np.float32]

Fit = Callable[[int, Sides | None], Sides]
"""Sides from so many of a history's oldest issues, and where to start from."""

ENOUGH = 50
"""Issues with a known pair, none of which the encoder learned from, that choose weights and cuts. With fewer the
weights are those of all issues, better calibrated than any guess, and nothing is promised."""


@dataclass(frozen=True, slots=True)
class _Chained:
    """Issues as the head of their day saw them: evidence [k, n, L], known pairs [n, L], block [n], and which
    rows [n] of the history they are."""

    evidence: Floats
    known: NDArray[np.int8]
    block: NDArray[np.int32]
    rows: NDArray[np.int64]
    latest: Sides | None
    """The last of those heads' sides, to start from."""

    @property
    def informed(self) -> int:
        return int((self.known != 0).any(axis=1).sum())

    def nothing(self) -> _Chained:
        """Of no issue at all."""
        return replace(
            self,
            evidence=self.evidence[:, :0],
            known=self.known[:0],
            block=self.block[:0],
            rows=self.rows[:0],
        )


@dataclass(frozen=True, slots=True)
class Lookback:
    """`scored`: what cuts are chosen on, the `rows` [n] of the history. `latest`: the sides of the newest head."""

    scored: Scored
    rows: NDArray[np.int64]
    combiner: Combiner
    latest: Sides | None


def look_back(history: History, counts: csr_matrix, fit: Fit) -> Lookback:
    """The history as heads of its own days scored it, what weighs their evidence, and the last of them.
    Where too few issues are left that the encoder did not learn from, all choose the weights, and none
    proves anything."""
    chained = _chain_forward(history, counts, fit)
    learned_from = int(history.witnesses.sum() - history.judges.sum())
    enough = not learned_from or chained.informed >= ENOUGH
    if not enough:
        chained = _chain_forward(replace(history, seen=None), counts, fit)
    combiner = fit_combiner(chained.evidence, chained.known)
    proof = chained if enough else chained.nothing()
    p = cross_probabilities(proof.evidence, proof.known, proof.block, start=combiner)
    current = _current(history)
    scored = Scored(p, proof.known, proof.block, current=current, learned_from=learned_from)
    return Lookback(scored, proof.rows, combiner, chained.latest)


def _chain_forward(history: History, counts: csr_matrix, fit: Fit) -> _Chained:
    """Evidence of issues by sides fitted on what came before them; repeats of earlier issues are left
    out, those on which we acted, and those that the encoder learned from."""
    blocks = forward_blocks(history.witnesses, scored=history.judges)
    first = blocks[0].now.start if blocks else len(history.vectors)
    fresh = ~repeats(history.vectors, counts, start=first)
    if history.unbiased is not None:
        fresh &= history.unbiased
    if history.seen is not None:
        fresh &= ~history.seen
    labels = history.known.shape[1]
    evidence, known = [np.zeros((len(EVIDENCE), 0, labels), np.float32)], [history.known[:0]]
    block, rows, sides = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], None
    for number, (past, now) in enumerate(blocks):
        here = np.arange(now.start, now.stop)[fresh[now]]
        sides = fit(past.stop, sides)
        evidence.append(sides.evidence_of(history.vectors[here], counts[here]))
        known.append(history.known[here])
        block.append(np.full(len(here), number, np.int32))
        rows.append(here)
    return _Chained(
        evidence=np.concatenate(evidence, axis=1),
        known=np.concatenate(known),
        block=np.concatenate(block),
        rows=np.concatenate(rows),
        latest=sides,
    )


def _current(history: History) -> bool:
    """Whether people's labels that owe nothing to us still arrive. Without a silent share they end where
    we began; what they said last must not speak of today for ever."""
    told = history.times[history.witnesses]
    return not len(told) or bool(history.times[-1] - told[-1] <= MEMORY)

"""A repository's classifier: issue text and vector in, one calibrated probability per label out.

Two sides, a vector side that starts from the labels' own words and a sparse word side, stacked and
calibrated on forward-chained scores, with the cuts at which the promised precision holds. One formula
from no issue at all to thousands. Refuses to learn from unknown pairs, and to be stored as code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify import artefact
from bot.classify.calibrate import Combiner, fit_combiner
from bot.classify.expectation import Expectation
from bot.classify.folds import forward_blocks, repeats
from bot.classify.history import History
from bot.classify.promise import LabelCut, Scored, make_promise
from bot.classify.sides import Sides, fit_sides, refit_column
from bot.classify.words import count_words
from bot.core.types import IssueText, LabelSpec, Score

__all__ = ["Head", "History", "fit_head", "refit_label"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head: everything `score` needs, and what it expects of itself."""

    specs: tuple[LabelSpec, ...]
    exclusive: tuple[tuple[str, ...], ...]
    sides: Sides
    combiner: Combiner
    cuts: tuple[LabelCut, ...]
    expectation: Expectation
    label_vectors: Floats
    target: float
    delta: float
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.specs)

    def score(
        self,
        texts: Sequence[IssueText],
        vectors: Floats,
        associations: Sequence[str] | None = None,
    ) -> list[list[Score]]:
        """Per issue, per label in the order of `labels`: probability, cuts, and why muted."""
        found = self.probabilities(texts, vectors, associations)
        return [[self._score(j, float(p)) for j, p in enumerate(row)] for row in found]

    def probabilities(
        self,
        texts: Sequence[IssueText],
        vectors: Floats,
        associations: Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Calibrated probabilities [n, L]."""
        return self.combiner.probabilities(self.sides.logits(texts, vectors, associations))

    def to_bytes(self) -> bytes:
        """safetensors with JSON metadata; `from_bytes` gives a head that scores the same (within half
        precision of its word weights)."""
        return artefact.pack(
            self.sides,
            self.combiner,
            self.label_vectors,
            specs=self.specs,
            exclusive=self.exclusive,
            cuts=self.cuts,
            expectation=self.expectation,
            target=self.target,
            delta=self.delta,
            seed=self.seed,
        )

    @classmethod
    def from_bytes(cls, stored: bytes) -> Head:
        """Raises UserError if `stored` is no head of a version this code reads."""
        return cls(**artefact.unpack(stored))

    def _score(self, column: int, probability: float) -> Score:
        cut = self.cuts[column]
        return Score(
            label=self.specs[column].name,
            probability=probability,
            apply_at=cut.apply_at,
            suggest_at=cut.suggest_at,
            why_muted=cut.why_muted,
        )


def fit_head(
    history: History,
    labels: Sequence[LabelSpec],
    *,
    label_vectors: Floats,
    exclusive: Sequence[Sequence[str]] = (),
    target: float = 0.9,
    delta: float = 0.05,
    seed: int = 0,
) -> Head:
    """Fit sides, calibration and cuts on `history`, from zero issues up.

    `label_vectors` [L, d]: vectors of each label's name and description. `exclusive`: groups of
    which an issue carries at most one. The promise: among known pairs, at least `target` of the
    applied labels are right, at confidence 1 - `delta`, for issues exchangeable with the newest.
    """
    specs = tuple(labels)
    groups = tuple(tuple(group) for group in exclusive)
    counts = count_words(history.texts, extra=history.associations)
    logits, known = _forward_logits(history, counts, label_vectors)
    combiner = fit_combiner(logits, known, np.ones(len(known)))
    promise = make_promise(
        Scored(combiner.probabilities(logits), known),
        history.known,
        tuple(spec.name for spec in specs),
        exclusive=groups,
        target=target,
        delta=delta,
    )
    return Head(
        specs=specs,
        exclusive=groups,
        sides=fit_sides(history.vectors, counts, history.known, label_vectors),
        combiner=combiner,
        cuts=promise.cuts,
        expectation=promise.expectation,
        label_vectors=label_vectors,
        target=target,
        delta=delta,
        seed=seed,
    )


def refit_label(head: Head, history: History, label: str) -> Head:
    """The head with one label learned anew, warm; calibration, cuts and vocabulary stay as they are
    until the next full fit. Raises KeyError for a label the head does not have."""
    if label not in head.labels:
        raise KeyError(label)
    column = head.labels.index(label)
    return replace(
        head, sides=refit_column(head.sides, history, history.known, head.label_vectors, column)
    )


def _forward_logits(
    history: History, counts: csr_matrix, label_vectors: Floats
) -> tuple[Floats, NDArray[np.int8]]:
    """Logits [2, n, L] of issues by sides fitted on what came before them, and their known pairs;
    repeats of earlier issues are left out."""
    fresh = ~repeats(history.vectors)
    logits, known = [np.zeros((2, 0, history.known.shape[1]), np.float32)], [history.known[:0]]
    for block in forward_blocks(history.informed):
        past, rows = block.past, np.arange(block.now.start, block.now.stop)[fresh[block.now]]
        sides = fit_sides(history.vectors[past], counts[past], history.known[past], label_vectors)
        logits.append(sides.logits_of(history.vectors[rows], counts[rows]))
        known.append(history.known[rows])
    return np.concatenate(logits, axis=1), np.concatenate(known)

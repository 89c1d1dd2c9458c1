"""A repository's classifier: issue text and vector in, one calibrated probability per label out.

Two sides, a vector side that starts from the labels' own words and a sparse word side, stacked and
calibrated on forward-chained scores, with the cuts at which the promised precision holds. One formula
from no issue at all to thousands. Refuses to learn from unknown pairs, and to be stored as code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify import artefact
from bot.classify.calibrate import Combiner
from bot.classify.choices import Earlier
from bot.classify.expectation import Expectation
from bot.classify.history import History
from bot.classify.lookback import Fit, Lookback, look_back
from bot.classify.memory import REMEMBERED_AT, Memory
from bot.classify.promise import LabelCut, Promise, Scored, make_promise, winners
from bot.classify.sides import Sides, counted, fit_sides, refit_columns, taught
from bot.core.families import families_of
from bot.core.types import IssueText, LabelSpec, Score

Floats = NDArray[np.float32]

DELTA = 0.05
"""Chance that the promise of a repository ever breaks, if its issues are exchangeable."""


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
    memory: Memory = field(default_factory=partial(Memory.empty, 0))

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
        p, said = self._judge(self.sides.evidence(texts, vectors, associations), vectors)
        return [
            [self._score(j, float(p[i, j]), bool(said[i, j] > 0)) for j in range(p.shape[1])]
            for i in range(len(p))
        ]

    def probabilities(
        self,
        texts: Sequence[IssueText],
        vectors: Floats,
        associations: Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Calibrated probabilities [n, L], after what is remembered of issues like these."""
        return self._judge(self.sides.evidence(texts, vectors, associations), vectors)[0]

    def applied(self, evidence: Floats, vectors: Floats) -> NDArray[np.bool_]:
        """Pairs [n, L] that would be applied, as far as scores decide, from evidence [k, n, L]."""
        p, said = self._judge(evidence, vectors)
        cuts = np.array([np.inf if c.apply_at is None else c.apply_at for c in self.cuts])
        reached = p >= np.where(said > 0, np.minimum(cuts, REMEMBERED_AT), cuts)
        return reached & winners(p, self.labels, self.exclusive)

    def _judge(
        self, evidence: Floats, vectors: Floats
    ) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
        p = self.combiner.probabilities(evidence)
        return self.memory.recall(p, vectors, centre=self.sides.centre)

    def to_bytes(self) -> bytes:
        """safetensors with JSON metadata; `from_bytes` gives a head that scores the same (within half
        precision of its word weights)."""
        return artefact.pack(
            self.sides,
            self.combiner,
            self.label_vectors,
            self.memory,
            specs=self.specs,
            exclusive=self.exclusive,
            cuts=self.cuts,
            expectation=self.expectation,
            target=self.target,
            delta=self.delta,
        )

    @classmethod
    def from_bytes(cls, stored: bytes) -> Head:
        """Raises UserError if `stored` is no head of a version this code reads."""
        return cls(**artefact.unpack(stored))

    def _score(self, column: int, probability: float, remembered: bool) -> Score:
        cut = self.cuts[column]
        least = [REMEMBERED_AT] if remembered else []
        least += [] if cut.apply_at is None else [cut.apply_at]
        return Score(
            label=self.specs[column].name,
            probability=probability,
            apply_at=min(least, default=None),
            suggest_at=cut.suggest_at,
            why_muted=cut.why_muted,
            zero_shot=cut.zero_shot,
        )


def fit_head(
    history: History,
    labels: Sequence[LabelSpec],
    *,
    label_vectors: Floats,
    exclusive: Sequence[Sequence[str]] = (),
    target: float = 0.9,
    earlier: Earlier | None = None,
    families: Mapping[str, str] | None = None,
) -> Head:
    """Fit sides, calibration and cuts on `history`, from zero issues up.

    `label_vectors` [L, d]: vectors of each label's name and description. `exclusive`: groups of
    which an issue carries at most one. The promise: among known pairs, at least `target` of the
    applied labels are right, at confidence 1 - `DELTA`, for issues exchangeable with the newest.
    `earlier`: what choices of cuts before this one proved and spent. `families`: label -> family,
    where the rules say other than its prefix.
    """
    (head,) = fit_heads(
        history,
        labels,
        label_vectors=label_vectors,
        exclusive=exclusive,
        targets=(target,),
        earlier=earlier,
        families=families,
    )
    return head


def fit_heads(
    history: History,
    labels: Sequence[LabelSpec],
    *,
    label_vectors: Floats,
    exclusive: Sequence[Sequence[str]] = (),
    targets: Sequence[float] = (0.9,),
    earlier: Earlier | None = None,
    families: Mapping[str, str] | None = None,
) -> tuple[Head, ...]:
    """`fit_head` for each of `targets`, for the price of one: they differ in cuts alone."""
    learned = learn(
        history, labels, label_vectors=label_vectors, exclusive=exclusive, families=families
    )
    return tuple(learned.head(target, earlier=earlier) for target in targets)


@dataclass(frozen=True, slots=True)
class Learned:
    """A head but for its cuts. `past`: what they are chosen on; `known` [all, L]: what its labels were taught."""

    specs: tuple[LabelSpec, ...]
    exclusive: tuple[tuple[str, ...], ...]
    sides: Sides
    past: Lookback
    label_vectors: Floats
    known: NDArray[np.int8]

    def promise(self, scored: Scored, target: float, earlier: Earlier | None = None) -> Promise:
        """The cuts that `scored` proves for `target`."""
        names = tuple(spec.name for spec in self.specs)
        return make_promise(
            scored,
            self.known,
            names,
            exclusive=self.exclusive,
            target=target,
            delta=DELTA,
            earlier=earlier,
        )

    def head(self, target: float, *, earlier: Earlier | None = None) -> Head:
        """The head that promises `target`."""
        promise = self.promise(self.past.scored, target, earlier)
        return Head(
            specs=self.specs,
            exclusive=self.exclusive,
            sides=self.sides,
            combiner=self.past.combiner,
            cuts=promise.cuts,
            expectation=promise.expectation,
            label_vectors=self.label_vectors,
            target=target,
            delta=DELTA,
        )


def learn(
    history: History,
    labels: Sequence[LabelSpec],
    *,
    label_vectors: Floats,
    exclusive: Sequence[Sequence[str]] = (),
    families: Mapping[str, str] | None = None,
) -> Learned:
    """All of a head that does not depend on what it promises; as `fit_head`."""
    names = tuple(spec.name for spec in labels)
    counts = counted(history)
    fit = _fitting(history, counts, names, label_vectors, families=_families(names, families))
    past = look_back(history, counts, fit)
    return Learned(
        specs=tuple(labels),
        exclusive=tuple(tuple(group) for group in exclusive),
        sides=fit(len(history.known), past.latest),
        past=past,
        label_vectors=label_vectors,
        known=history.known,
    )


def refit_labels(head: Head, history: History, labels: Sequence[str]) -> Head:
    """The head with some labels learned anew, warm; calibration, cuts and vocabulary stay as they are
    until the next full fit. Raises KeyError for a label the head does not have."""
    at = {label: column for column, label in enumerate(head.labels)}
    sides = refit_columns(
        head.sides,
        [at[label] for label in labels],
        taught=taught(history, head.sides.vocabulary),
        names=head.labels,
        label_vectors=head.label_vectors,
    )
    return replace(head, sides=sides)


def _fitting(
    history: History,
    counts: csr_matrix,
    names: Sequence[str],
    label_vectors: Floats,
    *,
    families: NDArray[np.int32],
) -> Fit:
    """Fits sides on the oldest issues of a history, whose word counts [n, IDS] are `counts`."""
    told, weights = history.told

    def fit(n: int, start: Sides | None) -> Sides:
        return fit_sides(
            history.vectors[:n],
            counts[:n] if n < len(told) else counts,  # all of them: a slice would be a copy
            told[:n],
            names=names,
            label_vectors=label_vectors,
            family=families,
            weights=weights[:n] if weights is not None else None,
            start=start,
        )

    return fit


def _families(
    labels: Sequence[str], families: Mapping[str, str] | None = None
) -> NDArray[np.int32]:
    found = families_of(labels) | dict(families or {})
    numbers = {family: number for number, family in enumerate(dict.fromkeys(found.values()))}
    return np.array([numbers[found[label]] for label in labels], dtype=np.int32)

"""From forward-chained scores to cuts and to what the head expects of itself.

One pooled cut is tested over the labels that have a record of their own. Beyond that a label gets a cut
of its own, above the pooled one, where its known pairs, shrunk towards doubt, fall short of the target.
Refuses to apply what only a label's name speaks for, and what too few humans ever answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.classify.choices import Earlier, turned_lately
from bot.classify.cuts import Rank, choose_cut
from bot.classify.expectation import Expectation, expect
from bot.classify.records import Record, records_of
from bot.core.bounds import lower_bound

MIN_POSITIVES = 5
MIN_NEGATIVES = 5
SUGGEST_AT = 0.4
LENIENCE = 2.5
"""However good the pool, a pair is applied only if it is at most this much likelier to be wrong than the
promise allows on average; it costs little coverage and is the cushion for a repository that drifts."""


@dataclass(frozen=True, slots=True)
class LabelCut:
    """What `Score` says of a label's cuts."""

    apply_at: float | None
    suggest_at: float
    why_muted: str
    zero_shot: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """Issues scored by what came before them: probabilities [n, L], known pairs [n, L], and the block
    [n] of time that each was scored in. `current`: whether the last of them tell of today. `learned_from`:
    labelled issues that are left out, as the encoder learned from them."""

    probabilities: NDArray[np.float64]
    known: NDArray[np.int8]
    block: NDArray[np.int32]
    current: bool = True
    learned_from: int = 0

    def only(self, rows: NDArray[np.intp]) -> Scored:
        """The issues `rows` [m], each as often as it is named."""
        return replace(
            self,
            probabilities=self.probabilities[rows],
            known=self.known[rows],
            block=self.block[rows],
        )


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a choice must reach, at confidence 1 - `delta`."""

    target: float
    delta: float
    earlier: Earlier


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The pooled cut, the cut of each label or why it has none, and pairs [n, L] that blocks expected of
    each other."""

    pooled: Rank | None
    apply_at: tuple[float | None, ...]
    why: tuple[str, ...]
    expected: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Promise:
    cuts: tuple[LabelCut, ...]
    expectation: Expectation


def make_promise(
    scored: Scored,
    history: NDArray[np.int8],
    labels: tuple[str, ...],
    *,
    exclusive: Sequence[Sequence[str]],
    target: float,
    delta: float,
    earlier: Earlier | None = None,
) -> Promise:
    """Choose cuts on `scored`; `history` [all, L] counts what each label has been taught. All choices of
    a repository together break the promise with probability `delta` at most, see `Earlier`.

    Which labels take part in the test of a block is decided on the other blocks, and the test leaves
    out the own cuts, which only take away: no label's luck vouches for the promise.
    """
    earlier = earlier or Earlier()
    terms = _Terms(target, earlier.spends(delta), earlier)
    chosen = _choose(scored, history, labels, exclusive=exclusive, terms=terms)
    pooled, apply_at = chosen.pooled, chosen.apply_at
    in_force = [pooled.cut if pooled and cut is not None else None for cut in apply_at]
    expectation = expect(
        chosen.expected & above(scored.probabilities, in_force),
        scored.known,
        history,
        labels=labels,
        apply_at=apply_at,
        why_muted=chosen.why,
        target=target,
        delta=terms.delta,
        lower_bound=_proved(pooled, terms),
    )
    told = replace(
        expectation,
        choice=earlier.choice,
        rank=pooled.preset if pooled else None,
        pairs=earlier.pairs,
        since=earlier.since,
    )
    return Promise(_label_cuts(apply_at, chosen.why, history), told)


def _choose(
    scored: Scored,
    history: NDArray[np.int8],
    labels: tuple[str, ...],
    *,
    exclusive: Sequence[Sequence[str]],
    terms: _Terms,
) -> _Chosen:
    p, known, target = scored.probabilities, scored.known, terms.target
    sure = winners(p, labels, exclusive) & (p >= max(0.5, 1 - LENIENCE * (1 - target)))
    barred = _barred(history, labels, terms.earlier.broken)
    tested, expected = _cross_apply(scored, sure, barred, terms=terms)
    pooled = _pooled_cut(p, known, tested, terms)
    records = records_of(p, known, sure)
    unproven = _unproven(known[tested], pooled, terms)
    why = _reasons(barred, records, terms, unproven=unproven, learned_from=scored.learned_from)
    apply_at = _own_cuts(pooled, records, why, target)
    if turned := _turned(scored, sure, apply_at, target):
        # Nothing is applied until the newest are right again; what was proved is held for that day.
        why = tuple(reason or turned for reason in why)
        apply_at = (None,) * len(labels)
    return _Chosen(pooled, apply_at, why, expected)


def _label_cuts(
    apply_at: Sequence[float | None], why: Sequence[str], history: NDArray[np.int8]
) -> tuple[LabelCut, ...]:
    by_name = (history > 0).sum(axis=0) < MIN_POSITIVES
    return tuple(
        LabelCut(cut, SUGGEST_AT, reason, bool(zero_shot))
        for cut, reason, zero_shot in zip(apply_at, why, by_name, strict=True)
    )


def _turned(
    scored: Scored, sure: NDArray[np.bool_], apply_at: Sequence[float | None], target: float
) -> str:
    """Why the record of these cuts no longer tells of today; "" if it does, or if it is not of today."""
    if not scored.current:
        return ""
    reached = sure & above(scored.probabilities, apply_at) & (scored.known != 0)
    return turned_lately(scored.known[reached] > 0, target=target)


def above(p: NDArray[np.float64], cuts: Sequence[float | None]) -> NDArray[np.bool_]:
    """Pairs [n, L] that reach the cut of their label; none of a label without a cut does."""
    return np.asarray(p >= np.array([np.inf if cut is None else cut for cut in cuts]))


def _proved(pooled: Rank | None, terms: _Terms) -> float | None:
    """The precision that the pooled record proves; None where nothing was to be proved."""
    if pooled is None or not terms.delta:
        return None
    return lower_bound(pooled.right, pooled.n, delta=terms.delta)


def _pooled_cut(
    p: NDArray[np.float64], known: NDArray[np.int8], tested: NDArray[np.bool_], terms: _Terms
) -> Rank | None:
    """The cut for all labels together, tested on the known pairs among `tested`."""
    pairs = tested & (known != 0)
    return choose_cut(
        p[pairs],
        known[pairs] > 0,
        target=terms.target,
        delta=terms.delta,
        held=terms.earlier.held,
        stricter_than=terms.earlier.stricter_than,
    )


def _reasons(
    barred: Sequence[str],
    records: Sequence[Record],
    terms: _Terms,
    *,
    unproven: str,
    learned_from: int,
) -> tuple[str, ...]:
    """Per label why it is only suggested, "" where it is applied: the most particular reason first."""
    found = [
        record.objection(terms.target) or record.doubt(terms.target) or unproven
        for record in records
    ]
    if learned_from:
        left_out = f"{learned_from} labelled issues that the encoder learned from prove nothing"
        found = [f"{reason}; {left_out}" if reason else "" for reason in found]
    return tuple(reason or short for reason, short in zip(barred, found, strict=True))


def _own_cuts(
    pooled: Rank | None, records: Sequence[Record], why: Sequence[str], target: float
) -> tuple[float | None, ...]:
    return tuple(
        max(pooled.cut, record.own_cut(target)) if pooled and not reason else None
        for reason, record in zip(why, records, strict=True)
    )


def _cross_apply(
    scored: Scored,
    sure: NDArray[np.bool_],
    barred: Sequence[str],
    *,
    terms: _Terms,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pairs [n, L] that the labels trusted by the other blocks are sure of, and those among them above
    the own cuts that the other blocks suggest."""
    p, known = scored.probabilities, scored.known
    tested, expected = np.zeros((2, *p.shape), dtype=np.bool_)
    for block in np.unique(scored.block):
        here = scored.block == block
        others = records_of(p[~here], known[~here], sure[~here])
        trusted = [
            not reason and not record.objection(terms.target)
            for reason, record in zip(barred, others, strict=True)
        ]
        tested[here] = sure[here] & trusted
        expected[here] = tested[here] & (p[here] >= [r.own_cut(terms.target) for r in others])
    return tested, expected


def winners(
    p: NDArray[np.float64], labels: Sequence[str], exclusive: Sequence[Sequence[str]]
) -> NDArray[np.bool_]:
    """Pairs [n, L] that are left when every exclusive group keeps its likeliest label."""
    kept = np.ones(p.shape, dtype=np.bool_)
    at = {label: j for j, label in enumerate(labels)}
    for group in exclusive:
        columns = [at[label] for label in group if label in at]
        if len(columns) > 1 and len(p):
            best = p[:, columns].argmax(axis=1)
            kept[:, columns] &= best[:, None] == np.arange(len(columns))
    return kept


def _barred(
    history: NDArray[np.int8], labels: Sequence[str], broken: Mapping[str, str]
) -> list[str]:
    """Per label why no record could make it applied, "" where one could."""
    positives, negatives = (history > 0).sum(axis=0), (history < 0).sum(axis=0)
    return [
        broken.get(label, "") or _untaught(yes, no)
        for label, yes, no in zip(labels, positives, negatives, strict=True)
    ]


def _untaught(yes: int, no: int) -> str:
    if yes < MIN_POSITIVES:
        return f"known by little more than its name: {yes} of the {MIN_POSITIVES} issues needed have it"
    if no < MIN_NEGATIVES:
        return f"hardly ever withheld ({no} times, {MIN_NEGATIVES} are needed): it tells nothing"
    return ""


def _unproven(known: NDArray[np.int8], pooled: Rank | None, terms: _Terms) -> str:
    """Why no label is applied, from the pairs that were tested; "" if some are."""
    if pooled:
        return ""
    right, n = int((known > 0).sum()), int((known != 0).sum())
    if terms.earlier.stricter_than is not None:
        return f"what was applied lately fell surely below {terms.target:.0%}; stricter cuts lack proof"
    return f"all labels together: {right} of {n} right does not prove {terms.target:.0%} yet"

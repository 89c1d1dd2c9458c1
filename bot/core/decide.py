"""From scores to decisions: for every label `apply`, `suggest` or `abstain`, with its reason.

Pure. Deciding is not applying: a dry run decides the same, and whoever applies reads the issue
again first. Refuses to touch what a human set or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.core.patterns import matches_any
from bot.core.rules import Rules, learnable
from bot.core.types import Action, Decision, Score

HAS_IT = "the issue has it already"
"""The reason for silence on a label that somebody set before we looked: we did not decide against it."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One issue: what is known when its labels are decided. Names are folded, as GitHub does."""

    rules: Rules
    scores: tuple[Score, ...]
    groups: tuple[frozenset[str], ...]
    present: frozenset[str]
    removed: frozenset[str]
    available: frozenset[str]


Objection = Callable[[Score, _Case], str]
"""Why a label is out of the question whatever its score; "" where it is not."""


def decide(
    scores: Sequence[Score],
    *,
    rules: Rules,
    exclusive: tuple[tuple[str, ...], ...],
    present: Collection[str],
    removed_by_human: Collection[str],
    available: Collection[str],
) -> tuple[Decision, ...]:
    """One decision for every label of `scores`, in their order; the unsure label may follow.

    `exclusive`: groups inferred from history or declared, the latter also through `rules`.
    `present`: labels on the issue now. `available`: labels that the repository has.
    """
    names = [*(score.label for score in scores), *present, *filter(None, [rules.unsure])]
    case = _Case(
        rules=rules,
        scores=tuple(scores),
        groups=_groups(exclusive, rules, names),
        present=_folded(present),
        removed=_folded(removed_by_human),
        available=_folded(available),
    )
    decided = [_decide_label(score, case) for score in scores]
    decided = _with_unsure(decided, case, present)
    return tuple(_as_mode(decision, rules) for decision in decided)


def objection(
    label: str,
    *,
    rules: Rules,
    exclusive: tuple[tuple[str, ...], ...],
    present: Collection[str],
    removed_by_human: Collection[str],
) -> str:
    """Why a label that was decided on earlier must not be set any more; "" where it still may.

    Between deciding and writing may lie an outage: people choose meanwhile, and rules change.
    """
    case = _Case(
        rules=rules,
        scores=(),
        groups=_groups(exclusive, rules, [label, *present]),
        present=_folded(present),
        removed=_folded(removed_by_human),
        available=_folded([label]),
    )
    score = Score(label, 1.0, None, 0.0)
    if rules.unsure is not None and _fold(label) == _fold(rules.unsure):
        labelled = any(learnable(name, rules) for name in present)
        return "somebody labelled it meanwhile" if labelled else _unwanted(score, case)
    return next((reason for object_to in _LASTING if (reason := object_to(score, case))), "")


def _decide_label(score: Score, case: _Case) -> Decision:
    for objection in _OBJECTIONS:
        if reason := objection(score, case):
            return _decision(score, "abstain", reason, None)
    if rival := _likelier_rival(score, case):
        reason = (
            f"only one of its group, and {rival.label} is likelier "
            f"({rival.probability:.2f} against {score.probability:.2f})"
        )
        return _decision(score, "abstain", reason, None)
    return _by_score(score, case.rules)


def _present(score: Score, case: _Case) -> str:
    return HAS_IT if _fold(score.label) in case.present else ""


def _removed(score: Score, case: _Case) -> str:
    return "a human removed it from this issue" if _fold(score.label) in case.removed else ""


def _unwanted(score: Score, case: _Case) -> str:
    return _removed(score, case) or _never(score, case)


def _unavailable(score: Score, case: _Case) -> str:
    gone = _fold(score.label) not in case.available
    return "the repository does not have this label (any more)" if gone else ""


def _never(score: Score, case: _Case) -> str:
    return "the rules say never to set it" if case.rules.of_label(score.label).never else ""


def _unlearnable(score: Score, case: _Case) -> str:
    return "" if learnable(score.label, case.rules) else "the rules leave this label to humans"


def _answered(score: Score, case: _Case) -> str:
    """Nothing from a group of which the issue carries a label: that was somebody's choice."""
    taken = _taken(score.label, case)
    return f"only one of its group, and the issue has {taken}" if taken else ""


def _taken(label: str, case: _Case) -> str:
    """A label on the issue that rules out `label`; "" if there is none."""
    rivals = (group & case.present for group in case.groups if _fold(label) in group)
    return min((name for found in rivals for name in found), default="")


_OBJECTIONS: tuple[Objection, ...] = (
    _present,
    _removed,
    _unavailable,
    _never,
    _unlearnable,
    _answered,
)

_LASTING: tuple[Objection, ...] = (_removed, _never, _unlearnable, _answered)
"""Those of them that the rules and people decide, whatever the head says."""


def _likelier_rival(score: Score, case: _Case) -> Score | None:
    """The label of one of its groups that is likelier, the earlier one among equals.

    A label that the rules forbid competes all the same: where it is the best guess, the second
    best is a wrong one. One that a human removed does not: it was ruled out.
    """
    mine = [group for group in case.groups if _fold(score.label) in group]
    if not mine:
        return None
    rivals = (
        other
        for other in case.scores
        if any(_fold(other.label) in group for group in mine) and _competes(other, case)
    )
    best = max(rivals, key=lambda other: other.probability, default=score)
    return None if best.label == score.label else best


def _competes(score: Score, case: _Case) -> bool:
    return not _removed(score, case) and not _unavailable(score, case)


def _by_score(score: Score, rules: Rules) -> Decision:
    """What the score alone says, once nothing stands against the label."""
    threshold, whose = _apply_at(score, rules)
    sure = f"{score.probability:.2f}"
    if threshold is not None and score.probability >= threshold:
        return _decision(score, "apply", f"{sure} reaches {whose} {threshold:.2f}", threshold)
    if score.probability >= score.suggest_at:
        return _decision(score, "suggest", f"{sure} {_why_not(score, threshold, whose)}", threshold)
    reason = f"{sure} is below {score.suggest_at:.2f}, where a suggestion is worth a glance"
    return _decision(score, "abstain", reason, threshold)


def _apply_at(score: Score, rules: Rules) -> tuple[float | None, str]:
    """The threshold that holds, and in words whose it is; None where the label only suggests."""
    own = rules.of_label(score.label).threshold
    if own is not None:
        return own, "the rules' threshold"
    if score.apply_at is None and score.zero_shot and rules.zero_shot == "apply":
        # Without proof, a calibrated probability is the best there is.
        return max(
            rules.precision, score.suggest_at
        ), "the precision that the rules ask for without proof,"
    return score.apply_at, "its cut"


def _why_not(score: Score, threshold: float | None, whose: str) -> str:
    if threshold is not None:
        return f"is worth a glance, but below {whose} {threshold:.2f}"
    return f"is worth a glance; not applied: {score.why_muted or 'no cut keeps the promise yet'}"


def _with_unsure(decided: list[Decision], case: _Case, present: Iterable[str]) -> list[Decision]:
    """Adds the unsure label, where the rules name one and nobody had anything to say."""
    name = case.rules.unsure
    if name is None or not _wants_unsure(name, decided, case, present):
        return decided
    likeliest = max(decided, key=lambda decision: decision.probability, default=None)
    reason = "nothing was sure enough to apply"
    if likeliest is not None:
        reason += f"; likeliest was {likeliest.label} at {likeliest.probability:.2f}"
    unsure = Decision(name, "apply", reason, 0.0, None)
    return [d for d in decided if _fold(d.label) != _fold(name)] + [unsure]


def _wants_unsure(
    name: str, decided: Sequence[Decision], case: _Case, present: Iterable[str]
) -> bool:
    usable = _fold(name) in case.available - case.present - case.removed
    labelled = any(learnable(label, case.rules) for label in present)
    applied = any(decision.action == "apply" for decision in decided)
    ruled_out = case.rules.of_label(name).never or _taken(name, case) or _meets(name, decided, case)
    return usable and not (labelled or applied or ruled_out)


def _meets(name: str, decided: Sequence[Decision], case: _Case) -> bool:
    """Whether a label of one of its groups is suggested already."""
    said = _folded(decision.label for decision in decided if decision.action != "abstain")
    return any(_fold(name) in group and group & said for group in case.groups)


def _as_mode(decision: Decision, rules: Rules) -> Decision:
    if rules.mode != "suggest" or decision.action != "apply":
        return decision
    return replace(
        decision, action="suggest", reason=f"{decision.reason}; the rules say to suggest only"
    )


def _groups(
    exclusive: Iterable[Iterable[str]], rules: Rules, names: Sequence[str]
) -> tuple[frozenset[str], ...]:
    """Groups as sets of folded names; those of the rules also hold labels the head never saw."""
    declared = ([n for n in names if matches_any(n, patterns)] for patterns in rules.exclusive)
    groups = (_folded(group) for group in (*exclusive, *declared))
    return tuple(group for group in groups if len(group) > 1)


def _decision(score: Score, action: Action, reason: str, threshold: float | None) -> Decision:
    return Decision(score.label, action, reason, score.probability, threshold)


def _fold(name: str) -> str:
    return name.casefold()


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_fold, names))

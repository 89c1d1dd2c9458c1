"""Corrections: what people did to labels against what we had done, and why the rest is none.

Pure and total: every label event of an issue comes out as part of a correction, or with the reason why
it is none. Refuses to take for a correction what no person looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from bot.core.provenance import GHOST, weight_of
from bot.core.types import LabelEvent

Kind = Literal["removal", "addition", "swap"]
Did = Literal["applied", "suggested", "abstained", "withheld"]
"""What came of a decision on GitHub. *withheld*: we would have set the label, and did not write it (dry
run, outage, somebody was faster), so that a person who sets it agrees with us."""

CLOCKS = timedelta(seconds=2)
"""How far a person's act may seem to lie before ours that it followed: GitHub cuts times to the second,
and its clock is not ours."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A human contradicted a decision of ours that took effect.

    *removal*: our label was taken off, or our suggestion dismissed. *addition*: a label was set where we
    had said nothing, or no more than suggested it. *swap*: both inside an exclusive group; `removed`
    gave way to `added`.
    """

    kind: Kind
    issue_id: int
    removed: str | None
    added: str | None
    actor: str
    weight: float
    """What it counts for in a fit, in (0, 1]: a maintainer's word counts fully, others' less."""
    at: datetime

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label in (self.removed, self.added) if label is not None)


@dataclass(frozen=True, slots=True)
class Act:
    """A decision on one label, what came of it on GitHub, and when it was made: the write came later, and
    when that was we may have learned later still."""

    label: str
    did: Did
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One issue: who filed it, what we did there, who touched its labels.

    `bulk`: those of the events that belong to a mass relabel. `silent`: we said nothing here on
    purpose, so that what people do stays unbiased.
    """

    issue_id: int
    author: str
    association: str
    acts: Sequence[Act]
    events: Sequence[LabelEvent]
    bulk: Collection[LabelEvent] = ()
    silent: bool = False


@dataclass(frozen=True, slots=True)
class NoCorrection:
    """A label event that corrects nothing, and why."""

    issue_id: int
    event: LabelEvent
    reason: str


@dataclass(frozen=True, slots=True)
class Derived:
    """What the label events of an issue come to; corrections oldest first."""

    corrections: tuple[Correction, ...]
    others: tuple[NoCorrection, ...]


def derive(case: Case, *, exclusive: Sequence[Collection[str]] = ()) -> Derived:
    """Read the label events of one issue. `exclusive`: groups of which an issue carries one label."""
    events = sorted(case.events, key=lambda event: event.at)
    single: list[Correction] = []
    others: list[NoCorrection] = []
    for place, event in enumerate(events):
        reason = _why_none(case, events[:place], event, events[place + 1 :])
        if reason:
            others.append(NoCorrection(case.issue_id, event, reason))
        else:
            single.append(_correction(case, event))
    return Derived(tuple(_paired(single, exclusive)), tuple(others))


def _why_none(
    case: Case,
    before: Sequence[LabelEvent],
    event: LabelEvent,
    after: Sequence[LabelEvent],
) -> str:
    """Why an event corrects nothing; "" where it does."""
    if reason := _no_evidence(case, event):
        return reason
    if any(x.label == event.label and not _no_evidence(case, x) for x in after):
        return "a later word on this label counts"
    acts = [act for act in case.acts if act.label == event.label]
    setters = [x for x in before if x.label == event.label and x.added]
    if event.added or not setters:  # else GitHub tells what came first, by one clock
        acts = [act for act in acts if act.at <= event.at + CLOCKS]
    if not acts:
        return "we had decided nothing on this label by then"
    if event.added:
        return _why_no_addition(max(acts, key=lambda act: act.at))
    return _why_no_removal(acts, setters)


def _no_evidence(case: Case, event: LabelEvent) -> str:
    """Why nobody's judgement stands behind an event; "" where a person's does."""
    match event.actor_kind:
        case "us":
            return "our own doing"
        case "bot":
            return "another bot's doing"
        case "form":
            return "it came with the issue, from its form or template"
        case "human" if event.actor == GHOST:
            return "by an account that is gone: nobody knows who looked"
        case "human" if event in case.bulk:
            return "part of a mass relabel: nobody looked at each issue"
        case "human" if case.silent:
            return "we kept silent here on purpose"
        case "human":
            return ""


def _why_no_addition(latest: Act) -> str:
    match latest.did:
        case "applied":
            return "we had set it too"
        case "withheld":
            return "we had decided the same, and not written it"
        case "abstained" | "suggested":
            return ""


def _why_no_removal(acts: Sequence[Act], setters: Sequence[LabelEvent]) -> str:
    if setters:  # who set it last counts, whatever we know of our own write
        ours = setters[-1].actor_kind == "us"
        return "" if ours else f"{setters[-1].actor} had set it, not we"
    did = {act.did for act in acts}
    return "" if did & {"suggested", "applied"} else "we had not set it"


def _correction(case: Case, event: LabelEvent) -> Correction:
    return Correction(
        kind="addition" if event.added else "removal",
        issue_id=case.issue_id,
        removed=None if event.added else event.label,
        added=event.label if event.added else None,
        actor=event.actor,
        weight=weight_of(event.actor, author=case.author, association=case.association),
        at=event.at,
    )


def _paired(single: Sequence[Correction], exclusive: Sequence[Collection[str]]) -> list[Correction]:
    """Removals joined with the additions that replace them: same issue, same group, however long it
    took, for the two answer one question."""
    groups = [frozenset(name.casefold() for name in group) for group in exclusive]
    added = [one for one in single if one.kind == "addition"]
    found: list[Correction] = []
    for removal in (one for one in single if one.kind == "removal"):
        rivals = [one for one in added if _share_group(removal, one, groups)]
        if rivals:
            nearest = min(rivals, key=lambda one: abs(one.at - removal.at))
            added.remove(nearest)
            removal = _swap(removal, nearest)
        found.append(removal)
    return sorted([*found, *added], key=lambda one: one.at)


def _share_group(
    removal: Correction, addition: Correction, groups: Sequence[frozenset[str]]
) -> bool:
    both = {label.casefold() for label in (*removal.labels, *addition.labels)}
    return any(both <= group for group in groups)


def _swap(removal: Correction, addition: Correction) -> Correction:
    """Told by whoever had the last word; it weighs what the lighter half weighs."""
    last = max(removal, addition, key=lambda one: one.at)
    return replace(
        last,
        kind="swap",
        removed=removal.removed,
        added=addition.added,
        weight=min(removal.weight, addition.weight),
    )

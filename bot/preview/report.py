"""The figures of a preview as one value: what the page shows and the JSON holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

import numpy as np

from bot.core.measure import Measure, measure
from bot.preview.curve import CurvePoint, Period, curve, over_time
from bot.preview.ledger import Ledger
from bot.preview.past import Past
from bot.preview.rewind import Refit
from bot.preview.starter import starter_rules
from bot.preview.suspects import suspects
from bot.preview.targets import STANDARD, Kept, by_target, fitting, kept

FORMAT = 1
NEWEST = 0.3
"""Share of the issues, the newest, that the main figures are about: what comes next is like them."""
LAST = 50


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label over the newest issues."""

    label: str
    measure: Measure
    suggested: int
    muted_because: str
    """Of the head that it would start with today; "" where it may apply the label."""


@dataclass(frozen=True, slots=True)
class LastIssue:
    """One of the newest issues: what would have been done, and what people did."""

    number: int
    title: str
    link: str
    created_at: datetime
    as_filed: bool | None
    applied: Mapping[str, str]
    """Label -> right, wrong or unknown."""
    suggested: tuple[str, ...]
    humans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuspectRow:
    number: int
    title: str
    link: str
    label: str
    was_set: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Sources:
    """How far the replay rests on what was really known at the time."""

    issues: int
    as_filed: int
    perhaps_edited: int
    as_filed_unknown: int
    labels: int
    labels_with_time: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a preview has to say. Rates are None where nothing counts."""

    repository: str
    first: datetime | None
    last: datetime | None
    dated: bool
    sources: Sources
    notes: tuple[str, ...]
    refits: int
    refit_seconds: float
    decided: int
    """Issues that a head decided; those before taught the first one."""
    fitting: float | None
    promise: Kept
    """The promise that the figures are about, over the newest issues."""
    whole: Kept
    by_text: Mapping[str, Measure]
    """Newest issues by how sure their text is."""
    targets: tuple[Kept, ...]
    labels: tuple[LabelRow, ...]
    curve: tuple[CurvePoint, ...]
    over_time: tuple[Period, ...]
    last_issues: tuple[LastIssue, ...]
    muted: Mapping[str, str]
    suspects: tuple[SuspectRow, ...]
    rules: str

    def as_dict(self) -> dict[str, Any]:
        """Values that JSON can hold; measures with their rates."""
        return {"format": FORMAT, **{name: _plain(getattr(self, name)) for name in self.__slots__}}


def draw_up(
    past: Past,
    ledger: Ledger,
    *,
    refits: Sequence[Refit],
    today: Refit,
    promise: float | None = None,
) -> Report:
    """The report of a finished replay. `today`: the heads it would start with now. `promise`: the one
    that the figures are about; the one that fits if not given."""
    newest = ledger.rows(slice(int((1 - NEWEST) * len(past.issues)), None))
    targets = tuple(by_target(newest).values())
    fits = fitting(targets)
    target = promise or fits or STANDARD
    head = today.heads.get(target)
    muted = head.expectation.muted if head else {}
    return Report(
        repository=past.full_name,
        first=past.issues[0].created_at if past.dated and past.issues else None,
        last=past.issues[-1].created_at if past.dated and past.issues else None,
        dated=past.dated,
        sources=_sources(past),
        notes=past.notes,
        refits=len(refits),
        refit_seconds=sum(refit.seconds for refit in refits),
        decided=len(past.issues) - (refits[0].taught_by if refits else len(past.issues)),
        fitting=fits,
        promise=kept(newest, target),
        whole=kept(ledger, target),
        by_text=_by_text(past, ledger, target),
        targets=targets,
        labels=_label_rows(newest, target, muted),
        curve=curve(newest),
        over_time=over_time(past, ledger, target),
        last_issues=_last_issues(past, ledger, target),
        muted=muted,
        suspects=_suspects(past, ledger),
        rules=starter_rules(past.full_name, target=fits, muted=muted, reason=reason_for(fits)),
    )


def reason_for(fits: float | None) -> str:
    """Why the rules file asks for this promise, in a sentence."""
    if fits is None:
        return "No promise both held and covered enough of the newest issues, so it only suggests."
    return f"{fits:.0%} is the highest promise tried that held and still covers enough issues."


def _sources(past: Past) -> Sources:
    filed = [issue.as_filed for issue in past.issues]
    timed = [issue.labels & {event.label for event in issue.events} for issue in past.issues]
    return Sources(
        issues=len(past.issues),
        as_filed=filed.count(True),
        perhaps_edited=filed.count(False),
        as_filed_unknown=filed.count(None),
        labels=sum(len(issue.labels) for issue in past.issues),
        labels_with_time=sum(map(len, timed)),
    )


def _by_text(past: Past, ledger: Ledger, target: float) -> dict[str, Measure]:
    words = {True: "as filed", False: "perhaps edited since", None: "nobody can say"}
    start = int((1 - NEWEST) * len(past.issues))
    found = {}
    for certain, name in words.items():
        rows = np.array([issue.as_filed is certain for issue in past.issues], dtype=np.bool_)
        rows[:start] = False
        if rows.any():
            found[name] = measure(ledger.applied[target][rows], ledger.known[rows])
    return found


def _label_rows(ledger: Ledger, target: float, muted: Mapping[str, str]) -> tuple[LabelRow, ...]:
    applied, suggested = ledger.applied[target], ledger.suggested[target]
    rows = [
        LabelRow(
            label=label,
            measure=measure(applied[:, [j]], ledger.known[:, [j]]),
            suggested=int(suggested[:, j].sum()),
            muted_because=muted.get(label, ""),
        )
        for j, label in enumerate(ledger.labels)
    ]
    return tuple(sorted(rows, key=lambda r: (-r.measure.applied, -r.measure.positives, r.label)))


_VERDICTS = {1: "right", -1: "wrong", 0: "unknown"}


def _last_issues(past: Past, ledger: Ledger, target: float) -> tuple[LastIssue, ...]:
    rows = range(len(past.issues) - 1, max(-1, len(past.issues) - 1 - LAST), -1)
    return tuple(_last_issue(past, ledger, target, row) for row in rows)


def _last_issue(past: Past, ledger: Ledger, target: float, row: int) -> LastIssue:
    issue = past.issues[row]
    applied = np.flatnonzero(ledger.applied[target][row])
    return LastIssue(
        number=issue.number,
        title=issue.title,
        link=past.link(issue.number),
        created_at=issue.created_at,
        as_filed=issue.as_filed,
        applied={ledger.labels[j]: _VERDICTS[int(ledger.known[row, j])] for j in applied},
        suggested=tuple(ledger.labels[j] for j in np.flatnonzero(ledger.suggested[target][row])),
        humans=tuple(sorted(issue.labels)),
    )


def _suspects(past: Past, ledger: Ledger) -> tuple[SuspectRow, ...]:
    return tuple(
        SuspectRow(
            number=past.issues[found.row].number,
            title=past.issues[found.row].title,
            link=past.link(past.issues[found.row].number),
            label=ledger.labels[found.column],
            was_set=found.was_set,
            confidence=found.confidence,
        )
        for found in suspects(ledger.probabilities, ledger.known)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Measure | Kept):
        return value.as_dict()
    if isinstance(value, LabelRow):
        return {"label": value.label, **value.measure.as_dict(), **_rest(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _rest(row: LabelRow) -> dict[str, Any]:
    return {"suggested": row.suggested, "muted_because": row.muted_because}

"""GitHub's own label suggestions (public preview), where the repository has them.

Only asked for where the list of suggestions answers; elsewhere `suggest` could be taken for a plain add.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot.core.types import LabelEvent
from bot.errors import Ignore
from bot.github.addresses import of_issue
from bot.github.payloads import label_from, may, need_time
from bot.github.reads import Reader, rows_of
from bot.github.writes import Writer

log = logging.getLogger(__name__)

LONGEST_RATIONALE = 280

Confidence = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A label for a maintainer to approve, and why."""

    label: str
    rationale: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Suggested:
    """`supported` is false where the repository lacks the feature; then nothing was written."""

    supported: bool
    suggested: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    """(label, reason)"""


@dataclass(frozen=True, slots=True)
class KnownSuggestion:
    """A suggestion that GitHub keeps. `state`: pending, approved, dismissed, or one of those that nobody
    answered (applied, replaced, invalidated); `resolved_by`: GitHub's id of who answered."""

    label: str
    state: str
    resolved_by: int | None
    at: datetime


def list_suggestions(reader: Reader, full_name: str, number: int) -> list[KnownSuggestion] | None:
    """All label suggestions of an issue, in the order of their making; None where the feature is missing."""
    doing = f"read the suggestions of {full_name}#{number}"
    try:
        first, *rest = reader.pages(
            of_issue(full_name, number, "suggestions"),
            doing=doing,
            permission="issues: read",
            params={"state": "all", "action": "add_label"},
        )
    except Ignore:
        return None
    rows = [row for answer in (first, *rest) for row in rows_of(answer, doing=doing)]
    return [_known(row) for row in rows if may(row, "target_value", str, "")]


def _known(row: Any) -> KnownSuggestion:
    return KnownSuggestion(
        label=may(row, "target_value", str, ""),
        state=may(row, "state", str, ""),
        resolved_by=may(row, "resolved_by", int, 0) or None,
        at=need_time(row, "updated_at", of="suggestion"),
    )


def suggest(
    reader: Reader,
    writer: Writer,
    full_name: str,
    number: int,
    wanted: Sequence[Suggestion],
    *,
    present: frozenset[str],
    exists: Callable[[str], bool],
    events: Callable[[], Iterable[LabelEvent]],
    before_write: Callable[[], None] = lambda: None,
) -> Suggested:
    """Suggest each label once: not again where it is on the issue, pending, or was dismissed.

    Args:
        present: labels on the issue now.
        exists: whether the repository has a label; asked first, for a suggestion taken for an add would
            create it.
        events: reads who labelled the issue, oldest first; only asked where a label is on it after all.
        before_write: called right before suggestions are written, to wait for a turn.
    """
    earlier = _earlier(reader, full_name, number)
    if earlier is None:
        return Suggested(supported=False)
    new, skipped = _sorted_out(wanted, earlier=earlier, present=present)
    kept = [one for one in new if exists(one.label)]
    if kept:
        before_write()
        _post(writer, full_name, number, kept, present=present, events=events)
    gone = [(one.label, "the repository has no such label") for one in new if one not in kept]
    return Suggested(True, tuple(one.label for one in kept), (*skipped, *gone))


def _earlier(reader: Reader, full_name: str, number: int) -> dict[str, str] | None:
    """Label (case-folded) -> state of its latest suggestion; None where the feature is missing."""
    found = list_suggestions(reader, full_name, number)
    return None if found is None else {one.label.casefold(): one.state for one in found}


def _sorted_out(
    wanted: Sequence[Suggestion], *, earlier: dict[str, str], present: frozenset[str]
) -> tuple[list[Suggestion], list[tuple[str, str]]]:
    on_issue = {name.casefold() for name in present}
    kept: list[Suggestion] = []
    skipped: list[tuple[str, str]] = []
    for one in wanted:
        state = earlier.get(one.label.casefold())
        if one.label.casefold() in on_issue:
            skipped.append((one.label, "is on the issue already"))
        elif state is not None:
            skipped.append((one.label, f"was suggested before ({state})"))
        else:
            kept.append(one)
    return kept, skipped


def _post(
    writer: Writer,
    full_name: str,
    number: int,
    kept: Sequence[Suggestion],
    *,
    present: frozenset[str],
    events: Callable[[], Iterable[LabelEvent]],
) -> None:
    answer = writer.send(
        "POST",
        of_issue(full_name, number, "labels"),
        doing=f"suggest labels for {full_name}#{number}",
        permission="issues: write",
        document={"labels": [_row(one) for one in kept]},
    )
    rows = answer.body if isinstance(answer.body, list) else []
    asked = {one.label.casefold() for one in kept}
    there = {label_from(row).name for row in rows} - present
    if outright := {name for name in there if name.casefold() in asked}:
        _take_back(writer, full_name, number, outright - _set_by_others(events()))


def _row(one: Suggestion) -> dict[str, Any]:
    return {
        "name": one.label,
        "rationale": one.rationale[:LONGEST_RATIONALE],
        "suggest": True,
        "confidence": one.confidence,
    }


def _set_by_others(events: Iterable[LabelEvent]) -> set[str]:
    """Labels that somebody else set, while we waited for our turn, say."""
    last = {event.label: event for event in events}
    return {name for name, event in last.items() if event.added and event.actor_kind != "us"}


def _take_back(writer: Writer, full_name: str, number: int, names: set[str]) -> None:
    """A suggestion that GitHub put on the issue outright is taken off: nobody approved it."""
    for name in sorted(names):
        log.warning("%s#%d: a suggested label was set outright, taking it off", full_name, number)
        writer.send(
            "DELETE",
            of_issue(full_name, number, "labels", name),
            doing=f"take a label off {full_name}#{number}",
            permission="issues: write",
            allow=(404,),
        )

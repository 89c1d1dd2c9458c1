"""What was known at a moment: labels as then set, and the known pairs that follow. Never the future.

A label counts from the moment somebody set it; where nobody kept that moment, from the end of the issue's
settling days on, or from the moment at which the source itself was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from bot.core.evidence import KnownPairs, known_row
from bot.core.families import families_of
from bot.core.rules import Rules
from bot.core.types import LabelEvent
from bot.preview.past import PastIssue

AT_ONCE = timedelta(seconds=1)
"""Labels that come with an issue carry its own second; the bot reads the issue after that."""


class Record(Protocol):
    """What a replay asks. A simulation answers with what its maintainers did so far."""

    def label_sets(self, moment: datetime, *, rows: int) -> list[frozenset[str]]:
        """Labels that humans had set on each of the first `rows` issues."""

    def known(
        self,
        moment: datetime,
        *,
        rows: int,
        labels: Sequence[str],
        exclusive: Sequence[Sequence[str]],
    ) -> KnownPairs:
        """Known pairs [rows, labels] of the first `rows` issues."""

    def present(self, row: int) -> frozenset[str]:
        """Labels that an issue brought with it."""


class PastRecord:
    """The record of a history as read at `until`, after the last issue. Rows of known pairs are kept as
    long as nothing new is said of them."""

    def __init__(
        self,
        issues: Sequence[PastIssue],
        *,
        settling: timedelta,
        until: datetime,
        rules: Rules | None = None,
    ) -> None:
        self._issues = issues
        self._until = until
        self._settling = settling
        self._rules = rules or Rules()
        self._untimed = [issue.labels - {event.label for event in issue.events} for issue in issues]
        self._question: tuple[object, ...] = ()
        self._rows: dict[tuple[int, int, bool, bool], KnownPairs] = {}

    def label_sets(self, moment: datetime, *, rows: int) -> list[frozenset[str]]:
        return [self._set_by_humans(row, moment) for row in range(rows)]

    def known(
        self,
        moment: datetime,
        *,
        rows: int,
        labels: Sequence[str],
        exclusive: Sequence[Sequence[str]],
    ) -> KnownPairs:
        question = (tuple(labels), tuple(map(tuple, exclusive)))
        if question != self._question:
            self._question, self._rows = question, {}
        families = {
            name: self._rules.family_of(name) or family
            for name, family in families_of(labels).items()
        }
        found = np.zeros((rows, len(labels)), dtype=np.int8)
        for row in range(rows):
            seen, settled = self._seen(row, moment), self._settled(row, moment)
            told = self._told(row, moment)
            key = (row, len(seen), settled, told)
            if key not in self._rows:
                self._rows[key] = known_row(
                    labels,
                    current=self._untimed[row] if told else (),
                    events=seen,
                    families=families,
                    exclusive=exclusive,
                    settled=settled,
                )
            found[row] = self._rows[key]
        return found

    def present(self, row: int) -> frozenset[str]:
        issue = self._issues[row]
        events = self._seen(row, issue.created_at + AT_ONCE)
        return frozenset(event.label for event in _latest(events) if event.added)

    def _set_by_humans(self, row: int, moment: datetime) -> frozenset[str]:
        latest = _latest(self._seen(row, moment))
        chosen = {event.label for event in latest if event.added and event.actor_kind == "human"}
        return frozenset(chosen | (self._untimed[row] if self._told(row, moment) else set()))

    def _seen(self, row: int, moment: datetime) -> tuple[LabelEvent, ...]:
        return tuple(event for event in self._issues[row].events if event.at <= moment)

    def _told(self, row: int, moment: datetime) -> bool:
        """Whether labels whose moment nobody kept are known."""
        return self._settled(row, moment) or moment >= self._until

    def _settled(self, row: int, moment: datetime) -> bool:
        return self._issues[row].created_at + self._settling <= moment


def _latest(events: Sequence[LabelEvent]) -> list[LabelEvent]:
    return list({event.label: event for event in events}.values())

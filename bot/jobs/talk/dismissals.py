"""What became of GitHub's own label suggestions. An approval comes by webhook as a label; a dismissal is
told to nobody, so pending suggestions are looked at, ever more seldom, for two weeks.

Reads only, and a bounded number of issues a time. One call tells all suggestions of an issue.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.core.provenance import GHOST
from bot.core.types import LabelEvent
from bot.errors import GiveUp, Ignore, RetryLater
from bot.github.app import AppAuth
from bot.github.suggestions import KnownSuggestion
from bot.jobs.learning.taught import record_events
from bot.store import answers, label_events, labels
from bot.store.answers import Due, Open, Verdict
from bot.store.engine import Database

log = logging.getLogger(__name__)

MOST = 100
"""Issues looked at in one go: with a run every quarter of an hour a small part of the hourly 5,000 calls."""

SOURCE = "suggestion"
"""Source of a label event that is an answer to a suggestion."""

_VERDICTS: Mapping[str, Verdict] = {
    "approved": "approved",
    "dismissed": "dismissed",
    "applied": "void",
    "replaced": "void",
    "invalidated": "void",
}
"""State at GitHub -> what it says; `pending` and states yet to be invented say nothing."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """A suggestion of ours, and what GitHub says became of it."""

    waiting: Open
    known: KnownSuggestion
    verdict: Verdict

    @property
    def who(self) -> str:
        """GitHub tells no login here."""
        by = self.known.resolved_by
        return GHOST if by is None else f"id:{by}"

    @property
    def event(self) -> LabelEvent:
        added = self.verdict == "approved"
        return LabelEvent(self.waiting.label, added, self.who, "human", self.known.at)


def look_for_answers(database: Database, auth: AppAuth) -> str:
    """Look at the suggestions that are due; returns the outcome in words."""
    with database.session() as session:
        due = answers.due(session, most=MOST)
    wait: set[int] = set()
    found = 0
    for one in due:
        if one.installation_id in wait:
            continue
        try:
            told = auth.client(one.installation_id).suggestions(one.full_name, one.number)
        except RetryLater as reason:
            log.info("installation %d is left alone: %s", one.installation_id, reason)
            wait.add(one.installation_id)
            continue
        except (Ignore, GiveUp) as reason:
            log.warning("suggestions of an issue of %s: %s", one.full_name, reason)
            told = None
        with database.session() as session:
            found += _store(session, one, told or [])
    return f"{found} answers on {len(due)} issues"


def _store(session: Session, due: Due, told: Sequence[KnownSuggestion]) -> int:
    """Keep the answers, and what they say about labels. How many there were."""
    former = labels.former_names(session, due.repository_id)
    latest = {former.get(one.label, one.label).casefold(): one for one in told}
    answered = [
        _Answered(waiting, known, _VERDICTS[known.state])
        for waiting in answers.open_suggestions(session, due.issue_id, "native")
        if (known := latest.get(waiting.label.casefold())) and known.state in _VERDICTS
    ]
    events = [one.event for one in answered if _is_news(session, due.issue_id, one)]
    # Before the answers: what they change is told from what was known until now.
    record_events(session, due.repository_id, {due.issue_id: events}, source=SOURCE)
    for one in answered:
        answers.answer(
            session,
            one.waiting.effect_id,
            verdict=one.verdict,
            actor=one.who,
            source="native",
            at=one.known.at,
        )
    answers.looked(session, due.issue_id)
    return len(answered)


def _is_news(session: Session, issue_id: int, one: _Answered) -> bool:
    """Not where nobody answered, nor where a human's label event says the same: an approval sets the
    label in the approver's name."""
    return one.verdict != "void" and not any(
        event.label == one.event.label
        and event.added == one.event.added
        and event.actor_kind == "human"
        for event in label_events.of_issue(session, issue_id)
    )

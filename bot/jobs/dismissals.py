"""What became of GitHub's own label suggestions. An approval comes by webhook as a label; a dismissal is
told to nobody, so pending suggestions are looked at, ever more seldom, for two weeks.

Reads only, and a bounded number of issues a time. One call tells all suggestions of an issue.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from bot.core.types import LabelEvent
from bot.errors import GiveUp, Ignore, RetryLater
from bot.github.app import AppAuth
from bot.github.suggestions import KnownSuggestion
from bot.jobs.taught import record_events
from bot.store import answers, label_events
from bot.store.answers import Due, Verdict
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
    latest = {one.label.casefold(): one for one in told}
    events: list[LabelEvent] = []
    new = 0
    for waiting in answers.open_suggestions(session, due.issue_id, "native"):
        known = latest.get(waiting.label.casefold())
        verdict = _VERDICTS.get(known.state) if known else None
        if known is None or verdict is None:
            continue
        who = f"id:{known.resolved_by or 0}"  # GitHub tells no login here
        new += answers.answer(
            session, waiting.effect_id, verdict=verdict, actor=who, source="native", at=known.at
        )
        if verdict != "void" and not _known_already(session, due.issue_id, waiting.label, verdict):
            added = verdict == "approved"
            events.append(LabelEvent(waiting.label, added, who, "human", known.at))
    answers.looked(session, due.issue_id)
    if events:
        record_events(session, due.repository_id, {due.issue_id: events}, source=SOURCE)
    return new


def _known_already(session: Session, issue_id: int, label: str, verdict: Verdict) -> bool:
    """Whether a human's label event says the same: an approval sets the label in the approver's name."""
    wanted = verdict == "approved"
    return any(
        event.label == label and event.added == wanted and event.actor_kind == "human"
        for event in label_events.of_issue(session, issue_id)
    )

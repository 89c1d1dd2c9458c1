"""What people did to labels is recorded, and where that corrects us, the head is refitted.

One door for webhooks and harvests, so that a correction teaches the same whichever way it came.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from bot.core.corrections import Correction
from bot.core.types import LabelEvent
from bot.jobs.requests import request_refit
from bot.store import corrections, label_events, repositories

log = logging.getLogger(__name__)


def record_events(
    session: Session,
    repository_id: int,
    events: Mapping[int, Sequence[LabelEvent]],
    *,
    source: str,
) -> int:
    """Store label events (issue id -> events); ask for a refit of the labels whose corrections changed.

    A correction that is taken back teaches as much as a new one: what was learned of it is wrong. The
    tenth issue of a mass relabel takes those of the other nine back.

    Returns:
        How many events were new.
    """
    human = {
        issue_id
        for issue_id, told in events.items()
        if any(event.actor_kind == "human" for event in told)
    }
    bulk = corrections.made_bulk(session, repository_id, events)
    before = _told(session, repository_id, human | bulk)
    new = label_events.record_all(session, repository_id, events, source=source)
    _ask(session, repository_id, before ^ _told(session, repository_id, human | bulk))
    return sum(map(len, new.values()))


def _told(session: Session, repository_id: int, issue_ids: set[int]) -> set[Correction]:
    """The corrections of these issues, whenever they were made: a harvest knows that better, which
    teaches nothing new."""
    found = corrections.of_issues(session, repository_id, issue_ids)
    return {replace(one, at=datetime.min) for one in found}


def _ask(session: Session, repository_id: int, changed: set[Correction]) -> None:
    """`changed`: corrections that came or went."""
    repository = repositories.get(session, repository_id)
    if not changed or repository is None or repository.head_id is None:
        return  # a first head is fitted on all that is known by then
    kinds = ", ".join(sorted({one.kind for one in changed}))
    request_refit(
        session,
        repository_id,
        labels={label for one in changed for label in one.labels},
        reason=f"corrected: {kinds}",
    )

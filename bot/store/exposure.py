"""What became of the labels that a bundle set, at equal exposure: each lay for the same time before it is
looked at, and what happened later does not count. The silent share is no part of it: nothing was set there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.core.corrections import Correction
from bot.store import corrections
from bot.store.tables import Decision, Effect, Issue


@dataclass(frozen=True, slots=True)
class Outcome:
    """An issue that we labelled: when (the last label), and the share of its labels that was corrected."""

    issue_id: int
    at: datetime
    corrected: float


def outcomes(
    session: Session, repository_id: int, *, bundle: str, window: timedelta, since: datetime
) -> list[Outcome]:
    """Issues labelled by the bundle after `since` whose labels all lay for `window`, oldest first."""
    statement = (
        select(Effect.issue_id, Effect.label, Effect.done_at)
        .join(Decision, Decision.id == Effect.decision_id)
        .join(Issue, Issue.id == Effect.issue_id)
        .where(
            Issue.repository_id == repository_id,
            Decision.bundle == bundle,
            Effect.kind == "add",
            Effect.status == "done",
            Effect.done_at > since,
        )
    )
    applied: dict[int, dict[str, datetime]] = {}
    for issue_id, label, at in session.execute(statement):
        assert at is not None  # what is done has its time
        applied.setdefault(issue_id, {})[label] = at
    if not applied:
        return []
    wrong = _corrected(corrections.of_repository(session, repository_id), applied, window)
    ripe = datetime.now(UTC) - window
    found = [
        Outcome(issue_id, max(labels.values()), min(1.0, wrong.get(issue_id, 0.0) / len(labels)))
        for issue_id, labels in applied.items()
        if max(labels.values()) <= ripe
    ]
    return sorted(found, key=lambda one: (one.at, one.issue_id))


def _corrected(
    found: list[Correction], applied: dict[int, dict[str, datetime]], window: timedelta
) -> dict[int, float]:
    """Issue id -> weight of the corrections of labels of ours, within the window."""
    weights: dict[int, float] = {}
    for one in found:
        at = applied.get(one.issue_id, {}).get(one.removed or "")
        if at is not None and one.at <= at + window:
            weights[one.issue_id] = weights.get(one.issue_id, 0.0) + one.weight
    return weights

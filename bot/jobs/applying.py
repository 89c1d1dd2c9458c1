"""Writing decided labels to GitHub, at the pace it asks for. Planned first, so that a crash loses nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from bot.core.types import Decision
from bot.github.apply import apply_labels
from bot.github.client import InstallationClient
from bot.github.suggestions import Suggestion
from bot.jobs import queue
from bot.jobs.context import Context
from bot.jobs.served import served
from bot.store import effects, installations, labels
from bot.store.tables import Decision as StoredDecision
from bot.store.tables import Effect, Issue

INLINE_WAIT = 3.0
"""Seconds of write spacing a worker thread sits out; a longer wait goes back to the queue."""

KIND: dict[str, effects.Kind] = {"apply": "add", "suggest": "suggest"}
"""What an action writes; silence writes nothing."""

Outcome = tuple[effects.Status, str]


@dataclass(frozen=True, slots=True)
class Planned:
    """An effect to bring about, with the decision behind it."""

    effect_id: int
    kind: str
    label: str
    reason: str
    probability: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where to write."""

    installation_id: int
    full_name: str
    number: int
    known_ids: Mapping[str, int]


def plan(session: Session, issue_id: int, decided: Sequence[tuple[int, Decision]]) -> None:
    """Write down what is to be done because of decisions: (decision id, decision) pairs."""
    for decision_id, decision in decided:
        if decision.action in KIND:
            effects.plan(
                session,
                issue_id,
                kind=KIND[decision.action],
                label=decision.label,
                decision_id=decision_id,
            )


def apply_pending(context: Context, *, issue_id: int, reserved: bool = False) -> str:
    """Bring about the pending effects of an issue; returns the outcome in words.

    `reserved`: the wait for the installation's next write has been sat out already.
    """
    with context.database.session() as session:
        pending = _pending(session, issue_id)
        if not pending:
            return "nothing to write"
        place = _place(session, issue_id)
    wait = 0.0 if reserved else _reserve(context, place.installation_id)
    if wait > INLINE_WAIT:
        with context.database.session() as session:
            queue.defer(session, queue.TASK_APPLY, schedule_in=wait, issue_id=issue_id)
        return f"waits {wait:.0f} s for the installation's next write"
    time.sleep(wait)
    client = context.client(place.installation_id)
    outcomes = {**_add(client, place, pending), **_suggest(client, place, pending)}
    with context.database.session() as session:
        for effect_id, (status, detail) in outcomes.items():
            effects.finish(session, effect_id, status=status, detail=detail, waited_s=wait)
    done = [p.label for p in pending if p.kind == "add" and outcomes[p.effect_id][0] == "done"]
    return f"applied {', '.join(done)}" if done else "applied nothing"


def _pending(session: Session, issue_id: int) -> list[Planned]:
    found = []
    for effect in effects.of_issue(session, issue_id):
        if effect.status == "pending" and effect.decision_id is not None:
            decision = session.get_one(StoredDecision, effect.decision_id)
            found.append(_planned(effect, decision))
    return found


def _planned(effect: Effect, decision: StoredDecision) -> Planned:
    return Planned(effect.id, effect.kind, effect.label, decision.reason, decision.probability)


def _place(session: Session, issue_id: int) -> Place:
    issue = session.get_one(Issue, issue_id)
    repository = served(session, issue.repository_id)
    return Place(
        installation_id=repository.installation_id,
        full_name=repository.full_name,
        number=issue.number,
        known_ids=labels.known_ids(session, issue.repository_id),
    )


def _reserve(context: Context, installation_id: int) -> float:
    with context.database.session() as session:
        return installations.reserve_write(session, installation_id)


def _add(
    client: InstallationClient, place: Place, pending: Sequence[Planned]
) -> dict[int, Outcome]:
    wanted = [planned for planned in pending if planned.kind == "add"]
    if not wanted:
        return {}
    names = [planned.label for planned in wanted]
    applied = apply_labels(client, place.full_name, place.number, names, known_ids=place.known_ids)
    there = {name.casefold() for name in (*applied.added, *applied.already)}
    why_not = {name.casefold(): reason for name, reason in applied.skipped}
    why_not |= {name.casefold(): "deleted while we wrote" for name in applied.recreated}
    return {
        planned.effect_id: ("done", "")
        if planned.label.casefold() in there
        else ("skipped", why_not.get(planned.label.casefold(), ""))
        for planned in wanted
    }


def _suggest(
    client: InstallationClient, place: Place, pending: Sequence[Planned]
) -> dict[int, Outcome]:
    """GitHub's own suggestions where the repository has them; elsewhere they stay with us."""
    wanted = [planned for planned in pending if planned.kind == "suggest"]
    if not wanted:
        return {}
    rows = [Suggestion(p.label, p.reason, _confidence(p.probability)) for p in wanted]
    suggested = client.suggest_labels(place.full_name, place.number, rows)
    if not suggested.supported:
        return {p.effect_id: ("skipped", "the repository has no suggestions") for p in wanted}
    why_not = dict(suggested.skipped)
    return {
        p.effect_id: ("skipped", why_not[p.label]) if p.label in why_not else ("done", "")
        for p in wanted
    }


def _confidence(probability: float) -> Literal["low", "medium", "high"]:
    if probability < 0.5:
        return "low"
    return "medium" if probability < 0.8 else "high"

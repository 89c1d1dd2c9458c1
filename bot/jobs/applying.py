"""Writing decided labels to GitHub, at the pace it asks for. Planned first, so that a crash loses nothing.

What was decided is held against the rules and the issue once more, for much may have happened since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from bot.core.decide import objection
from bot.core.evidence import teaches
from bot.core.rules import Rules, parse_rules
from bot.core.types import Decision, Issue, LabelEvent
from bot.errors import GiveUp, Ignore
from bot.github.apply import Applied, apply_labels, last_events
from bot.github.client import InstallationClient
from bot.github.suggestions import Suggestion
from bot.jobs import queue
from bot.jobs.context import Context
from bot.jobs.learning.taught import record_events
from bot.jobs.served import served
from bot.jobs.suggesting import Suggesting, suggest
from bot.jobs.turn import NotYet, Turn
from bot.store import effects, label_events, labels
from bot.store.tables import Decision as StoredDecision
from bot.store.tables import Effect
from bot.store.tables import Issue as StoredIssue

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
    exclusive: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to write, and under which rules."""

    issue_id: int
    repository_id: int
    installation_id: int
    full_name: str
    number: int
    known_ids: Mapping[str, int]
    rules: Rules
    removed: frozenset[str]
    """Labels that people took off, under the names that they have now; GitHub's events bear the old."""


def plan(session: Session, issue_id: int, decided: Sequence[tuple[int, Decision]]) -> None:
    """Write down what is to be done because of decisions: (decision id, decision) pairs. What earlier
    decisions left to be done is not done any more: two labels of one group would get on the issue."""
    effects.supersede(session, issue_id)
    for decision_id, decision in decided:
        if decision.action in KIND:
            effects.plan(
                session,
                issue_id,
                kind=KIND[decision.action],
                label=decision.label,
                decision_id=decision_id,
            )


def apply_pending(
    context: Context, *, issue_id: int, moment: float | None = None, waited: float = 0.0
) -> str:
    """Bring about the pending effects of an issue; returns the outcome in words.

    `moment`, `waited`: the turn that was taken for it and what that cost, see `Turn`.
    """
    with context.database.session() as session:
        pending = _pending(context, session, issue_id)
        if not pending:
            return "nothing to write"
        place = _place(session, issue_id)
    turn = Turn(context, place.installation_id, moment=moment, waited=waited)
    try:
        done = _Writing(context, place, turn).write(pending)
    except NotYet:
        return turn.park(
            queue.TASK_APPLY,
            lock=queue.issue_lock(place.repository_id, place.number),
            key=f"apply/{issue_id}",
            issue_id=issue_id,
            waited=turn.waited,
        )
    return f"applied {', '.join(done)}" if done else "applied nothing"


def _pending(context: Context, session: Session, issue_id: int) -> list[Planned]:
    found = []
    for effect in effects.of_issue(session, issue_id):
        if effect.status == "pending" and effect.decision_id is not None:
            decision = session.get_one(StoredDecision, effect.decision_id)
            head = context.head(session, decision.head_id) if decision.head_id else None
            found.append(_planned(effect, decision, head.exclusive if head else ()))
    return found


def _planned(
    effect: Effect, decision: StoredDecision, exclusive: tuple[tuple[str, ...], ...]
) -> Planned:
    return Planned(
        effect.id, effect.kind, effect.label, decision.reason, decision.probability, exclusive
    )


def _place(session: Session, issue_id: int) -> Place:
    issue = session.get_one(StoredIssue, issue_id)
    repository = served(session, issue.repository_id)
    return Place(
        issue_id=issue_id,
        repository_id=repository.id,
        installation_id=repository.installation_id,
        full_name=repository.full_name,
        number=issue.number,
        known_ids=labels.known_ids(session, issue.repository_id),
        rules=parse_rules(repository.rules_text or ""),
        removed=frozenset(label_events.removed_by_human(session, issue_id)),
    )


class _Writing:
    """The writes to one issue; what became of each is stored as soon as it is known."""

    def __init__(self, context: Context, place: Place, turn: Turn) -> None:
        self._context = context
        self._place = place
        self._turn = turn
        self._client: InstallationClient = context.client(place.installation_id)
        self._open: set[int] = set()
        """Effects whose end is not stored yet."""

    def write(self, pending: Sequence[Planned]) -> list[str]:
        """Write what was planned; the labels that are on the issue now. In a dry run nothing is written
        at all, not even what would undo an earlier write.

        Raises:
            NotYet: our turn is far off. Ignore, GiveUp: nothing more will be written.
        """
        adds = [planned for planned in pending if planned.kind == "add"]
        suggests = [planned for planned in pending if planned.kind == "suggest"]
        self._open = {planned.effect_id for planned in pending}
        if self._place.rules.mode == "dry-run":
            self._finish(dict.fromkeys(self._open, ("skipped", "the rules say dry-run now")))
            return []
        try:
            done = self._add(adds) if adds else []
            if suggests:
                self._suggest(suggests)
        except (Ignore, GiveUp) as reason:
            status: effects.Status = "skipped" if isinstance(reason, Ignore) else "failed"
            self._finish(dict.fromkeys(self._open, (status, str(reason))))
            raise
        return done

    def _add(self, wanted: Sequence[Planned]) -> list[str]:
        groups = {planned.label.casefold(): planned.exclusive for planned in wanted}

        def object_to(label: str, issue: Issue) -> str:
            return self._objection(label, "add", groups[label.casefold()], issue)

        applied = apply_labels(
            self._client,
            self._place.full_name,
            self._place.number,
            [planned.label for planned in wanted],
            known_ids=self._place.known_ids,
            objection=object_to,
            before_write=self._turn,
        )
        outcomes = _outcomes(applied, wanted, faster=self._remember(applied))
        self._finish(outcomes)
        return [p.label for p in wanted if outcomes[p.effect_id][0] == "done"]

    def _suggest(self, wanted: Sequence[Planned]) -> None:
        """Where and how the rules want suggestions."""
        issue = self._client.issue(self._place.full_name, self._place.number)
        against = {p.label: self._objection(p.label, p.kind, p.exclusive, issue) for p in wanted}
        rows = [
            Suggestion(p.label, p.reason, _confidence(p.probability))
            for p in wanted
            if not against[p.label]
        ]
        why_not = {label: why for label, why in against.items() if why}
        way = ""
        if rows:
            skipped, way = suggest(self._suggesting(issue), rows)
            why_not |= skipped
        self._finish({
            p.effect_id: ("skipped", why_not[p.label]) if p.label in why_not else ("done", way)
            for p in wanted
        })  # fmt: skip

    def _suggesting(self, issue: Issue) -> Suggesting:
        return Suggesting(
            context=self._context,
            client=self._client,
            rules=self._place.rules,
            full_name=self._place.full_name,
            issue_id=self._place.issue_id,
            issue=issue,
            turn=self._turn,
        )

    def _objection(
        self, label: str, kind: str, exclusive: tuple[tuple[str, ...], ...], issue: Issue
    ) -> str:
        rules = self._place.rules
        if issue.locked:
            return "the issue is locked"
        if not teaches(issue.state):
            return f"the issue is {issue.state}"
        if rules.mode == "suggest" and kind == "add":
            return "the rules say suggest now"
        return objection(
            label,
            rules=rules,
            exclusive=exclusive,
            present=issue.labels,
            removed_by_human=self._place.removed,
        )

    def _remember(self, applied: Applied) -> dict[str, str]:
        """Whose labels these are; the webhook that says so may get lost, and they are not a human's. Of
        those that were there already, and are not ours from an earlier try: (folded) label -> who set it."""
        us = self._context.auth.identity().login
        events = [LabelEvent(label, True, us, "us", applied.at) for label in applied.added]
        if applied.already:
            events = self._client.issue_events(self._place.full_name, self._place.number)
        with self._context.database.session() as session:
            told = {self._place.issue_id: events}
            record_events(session, self._place.repository_id, told, source=label_events.OUR_WRITE)
        last = last_events(events)
        there = {name.casefold(): last.get(name.casefold()) for name in applied.already}
        return {name: e.actor for name, e in there.items() if e and e.actor_kind != "us"}

    def _finish(self, outcomes: Mapping[int, Outcome]) -> None:
        self._open -= outcomes.keys()
        with self._context.database.session() as session:
            for effect_id, (status, detail) in outcomes.items():
                effects.finish(
                    session, effect_id, status=status, detail=detail, waited_s=self._turn.waited
                )


def _outcomes(
    applied: Applied, wanted: Iterable[Planned], *, faster: Mapping[str, str]
) -> dict[int, Outcome]:
    there = {name.casefold() for name in (*applied.added, *applied.already)} - faster.keys()
    why_not = {name.casefold(): reason for name, reason in applied.skipped}
    why_not |= {name.casefold(): "deleted while we wrote" for name in applied.recreated}
    why_not |= {name: f"{who} was faster" for name, who in faster.items()}
    return {
        planned.effect_id: ("done", "")
        if planned.label.casefold() in there
        else ("skipped", why_not.get(planned.label.casefold(), ""))
        for planned in wanted
    }


def _confidence(probability: float) -> Literal["low", "medium", "high"]:
    if probability < 0.5:
        return "low"
    return "medium" if probability < 0.8 else "high"

"""Corrections of a repository or an issue, derived anew from decisions, effects and label events.

Nothing is stored twice: a label put back, a renamed label or a mass relabel that shows itself only with
its tenth issue changes what yesterday's events mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, exists, or_, select, text
from sqlalchemy.orm import Session

from bot.core import types
from bot.core.corrections import Act, Case, Correction, Derived, Did, derive
from bot.core.decide import HAS_IT
from bot.core.evidence import teaches
from bot.core.families import infer_exclusive
from bot.core.provenance import WITHIN, in_bulk
from bot.core.rules import learnable, parse_rules
from bot.store import label_events, labels
from bot.store.label_events import SAME_WITHIN
from bot.store.tables import Answer, Decision, Effect, Issue, LabelEvent, Repository

Groups = Sequence[Collection[str]]
Events = Mapping[int, Sequence[types.LabelEvent]]
"""Issue id -> its label events, oldest first."""

_WRITES = {"apply": "add", "suggest": "suggest"}

_BY_PEOPLE = text(
    """
    SELECT ARRAY(SELECT unnest(i.labels) EXCEPT SELECT unnest(m.labels))
    FROM issues i LEFT JOIN (
        SELECT issue_id, array_agg(label) AS labels FROM (
            SELECT DISTINCT ON (e.issue_id, e.label) e.issue_id, e.label, e.actor_kind
            FROM label_events e JOIN issues i ON i.id = e.issue_id
            WHERE i.repository_id = :repository
            ORDER BY e.issue_id, e.label, e.at DESC, e.github_id DESC, e.id DESC
        ) latest WHERE actor_kind <> 'human' GROUP BY issue_id
    ) m ON m.issue_id = i.id
    WHERE i.repository_id = :repository AND i.labels <> '{}'
    """
)


def of_repository(
    session: Session, repository_id: int, *, events: Events | None = None
) -> list[Correction]:
    """All corrections that stand, oldest first: the repository's own regression suite. `events`: its
    label events, where the caller has read them."""
    if events is None:
        events = label_events.of_repository(session, repository_id)
    bulk = in_bulk((issue, event) for issue, told in events.items() for event in told)
    of_repository_ = Issue.repository_id == repository_id
    cases = _cases(session, of_repository_, events, bulk=bulk)
    groups = _exclusive(session, repository_id) if cases else ()
    found = [one for case in cases for one in derive(case, exclusive=groups).corrections]
    return sorted(found, key=lambda one: (one.at, one.issue_id))


def of_issue(session: Session, issue_id: int) -> list[Correction]:
    """The corrections of one issue that stand, oldest first."""
    return list(explained(session, issue_id).corrections)


def of_issues(session: Session, repository_id: int, issue_ids: Collection[int]) -> list[Correction]:
    """The corrections of some issues of a repository that stand."""
    found = _explained(session, repository_id, issue_ids) if issue_ids else ()
    return [one for derived in found for one in derived.corrections]


def explained(session: Session, issue_id: int) -> Derived:
    """The corrections of one issue, and for every other label event why it is none."""
    repository_id = session.get_one(Issue, issue_id).repository_id
    found = _explained(session, repository_id, [issue_id])
    return found[0] if found else Derived((), ())


def _explained(session: Session, repository_id: int, issue_ids: Collection[int]) -> list[Derived]:
    """Of some issues; the groups of the whole repository are looked for only where they matter."""
    which = Issue.id.in_(list(issue_ids))
    events: dict[int, list[types.LabelEvent]] = {}
    for issue_id, event in label_events.among(session, repository_id, which):
        events.setdefault(issue_id, []).append(event)
    human = [e for told in events.values() for e in told if e.actor_kind == "human"]
    cases = _cases(session, which, events, bulk=in_bulk(_around(session, repository_id, human)))
    found = [derive(case) for case in cases]
    if all(len({one.kind for one in derived.corrections}) < 2 for derived in found):
        return found
    groups = _exclusive(session, repository_id)
    return [derive(case, exclusive=groups) for case in cases]


def _cases(
    session: Session,
    which: ColumnElement[bool],
    events: Events,
    *,
    bulk: Collection[tuple[int, types.LabelEvent]],
) -> list[Case]:
    """The issues on which we decided something and that still teach."""
    acts = _acts(session, which)
    dismissals = _dismissals(session, which)
    statement = select(
        Issue.id,
        Issue.author,
        Issue.author_association,
        Issue.silent,
        Issue.state,
        Issue.is_pull_request,
    ).where(which, Issue.id.in_(list(acts)))
    of_bulk: dict[int, list[types.LabelEvent]] = {}
    for issue_id, event in bulk:
        of_bulk.setdefault(issue_id, []).append(event)
    return [
        Case(
            row.id,
            row.author,
            row.author_association,
            acts[row.id],
            _with_dismissals(events.get(row.id, ()), dismissals.get(row.id, ())),
            bulk=frozenset(of_bulk.get(row.id, ())),
            silent=row.silent,
        )
        for row in session.execute(statement)
        if teaches(row.state, is_pull_request=row.is_pull_request)
    ]


def _acts(session: Session, which: ColumnElement[bool]) -> dict[int, list[Act]]:
    """What our decisions came to, of labels that people touched or whose suggestion they dismissed."""
    touched = exists().where(
        LabelEvent.issue_id == Decision.issue_id,
        LabelEvent.label == Decision.label,
        LabelEvent.actor_kind == "human",
    )
    written = and_(
        Effect.decision_id == Decision.id,
        Effect.label == Decision.label,
        Effect.kind == case(_WRITES, value=Decision.action),
    )
    statement = (
        select(
            Decision.issue_id,
            Decision.label,
            Decision.action,
            Decision.decided_at,
            Effect.status,
        )
        .join(Issue, Issue.id == Decision.issue_id)
        .outerjoin(Effect, written)
        .outerjoin(Answer, Answer.effect_id == Effect.id)
        .where(which, Decision.reason != HAS_IT, or_(Answer.verdict == "dismissed", touched))
        .order_by(Decision.id)
    )
    found: dict[int, list[Act]] = {}
    for row in session.execute(statement):
        act = Act(row.label, _did(row.action, row.status), row.decided_at)
        found.setdefault(row.issue_id, []).append(act)
    return found


def _did(action: str, status: str | None) -> Did:
    """What is recorded as done is ours, and nothing else. A suggestion that never reached GitHub was
    silence to everybody there."""
    match action, status:
        case "apply", "done":
            return "applied"
        case "apply", _:
            return "withheld"
        case "suggest", "done":
            return "suggested"
        case _:
            return "abstained"


def _dismissals(session: Session, which: ColumnElement[bool]) -> dict[int, list[types.LabelEvent]]:
    """Suggestions of ours that people dismissed, told like removals: GitHub has no event for them."""
    statement = (
        select(Effect.issue_id, Effect.label, Answer.actor, Answer.at)
        .join(Effect, Effect.id == Answer.effect_id)
        .join(Issue, Issue.id == Effect.issue_id)
        .where(which, Answer.verdict == "dismissed")
    )
    found: dict[int, list[types.LabelEvent]] = {}
    for row in session.execute(statement):
        event = types.LabelEvent(row.label, False, row.actor, "human", row.at)
        found.setdefault(row.issue_id, []).append(event)
    return found


def _with_dismissals(
    events: Sequence[types.LabelEvent], dismissals: Sequence[types.LabelEvent]
) -> list[types.LabelEvent]:
    """Both, but for a dismissal that somebody recorded as a removal too."""
    told = [event for event in events if not event.added]
    return [
        *events,
        *(
            one
            for one in dismissals
            if not any(x.label == one.label and abs(x.at - one.at) <= SAME_WITHIN for x in told)
        ),
    ]


def _around(
    session: Session,
    repository_id: int,
    events: Sequence[types.LabelEvent],
    *,
    within: timedelta = WITHIN,
) -> list[tuple[int, types.LabelEvent]]:
    """What the same people did anywhere in the repository shortly before and after these events."""
    near = [
        and_(
            LabelEvent.actor == event.actor,
            LabelEvent.at.between(event.at - within, event.at + within),
        )
        for event in events
    ]
    return label_events.among(session, repository_id, or_(*near)) if near else []


def made_bulk(session: Session, repository_id: int, events: Events) -> set[int]:
    """Issues whose events become part of a mass relabel through these (issue id -> events)."""
    new = [(issue_id, e) for issue_id, told in events.items() for e in told]
    human = [event for _, event in new if event.actor_kind == "human"]
    near = _around(session, repository_id, human, within=2 * WITHIN)
    return {issue_id for issue_id, _ in in_bulk([*near, *new]) - in_bulk(near)}


def _exclusive(session: Session, repository_id: int) -> Groups:
    """Groups of which an issue carries one label: as the rules say, or as people labelled so far."""
    rules = parse_rules(session.get_one(Repository, repository_id).rules_text or "")
    names = [label.name for label in labels.active(session, repository_id)]
    known = [name for name in names if learnable(name, rules)]
    return infer_exclusive(people_sets(session, repository_id), known, rules)


def people_sets(session: Session, repository_id: int) -> list[list[str]]:
    """Of every issue that bears labels, those by people, as `bot.core.evidence.by_people` tells them."""
    return list(session.scalars(_BY_PEOPLE, {"repository": repository_id}))

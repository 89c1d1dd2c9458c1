"""The road of one new issue: read rules, re-read issue, encode, score, decide, record, apply.

The only place where the stages meet. Every stage is a function elsewhere; nothing here knows SQL, HTTP
or a model. A job that runs twice decides once: decisions are stored per delivery before anything is
written to GitHub, and a second run goes on from them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from bot.core.decide import decide
from bot.core.rules import Rules
from bot.core.text import issue_text
from bot.core.types import Decision, Issue
from bot.errors import Ignore, RetryLater
from bot.jobs import applying
from bot.jobs.context import Context
from bot.jobs.house_rules import current_rules
from bot.jobs.requests import request_learning
from bot.jobs.served import served
from bot.store import decisions, deliveries, issues, label_events, labels, silence, vectors
from bot.store.tables import Head as StoredHead
from bot.store.tables import Repository

log = logging.getLogger(__name__)

SILENT = "nothing is done: the issue is of the silent share"

SOONEST, LATEST = 10.0, 600.0
"""Seconds until an issue that arrived while its repository is being learned is looked at again: half as
long as it has waited already, between these. Learning takes a minute, or fails until the next day."""


@dataclass(frozen=True, slots=True)
class Target:
    """One issue of one repository, with what is needed to act on it."""

    repository_id: int
    installation_id: int
    full_name: str
    issue_id: int
    head_id: int


def label_issue(
    context: Context, *, repository_id: int, filed: Issue, as_filed: bool, delivery_id: int
) -> str:
    """Decide on and apply the labels of one issue; returns the outcome in words.

    Raises:
        RetryLater: the repository is still being learned, or GitHub asks for patience.
        Ignore: the repository is paused or gone, the author is ignored, the issue is a pull request.
    """
    if filed.is_pull_request:
        raise Ignore("pull requests are not labelled")
    target = _store_issue(
        context,
        repository_id=repository_id,
        filed=filed,
        as_filed=as_filed,
        delivery_id=delivery_id,
    )
    client = context.client(target.installation_id)
    rules = current_rules(context, client, repository_id)
    if rules.ignores_author(filed.author):
        raise Ignore(f"author {filed.author} is ignored by the rules")
    with context.database.session() as session:
        decided_before = decisions.exist_for(session, delivery_id)
    if not decided_before:
        issue = client.issue(target.full_name, filed.number)
        decided = _decide(context, target, filed=filed, issue=issue, rules=rules)
        _record(context, target, decided, rules=rules, delivery_id=delivery_id)
    return applying.apply_pending(context, issue_id=target.issue_id)


def _store_issue(
    context: Context, *, repository_id: int, filed: Issue, as_filed: bool, delivery_id: int
) -> Target:
    with context.database.session() as session:
        repository = served(session, repository_id)
        issue_id = issues.upsert(session, repository_id, filed, as_filed=as_filed)
        head_id = _usable_head(context, session, repository)
        status = repository.status
        waited = deliveries.age(session, delivery_id) if head_id is None else 0.0
        target = Target(
            repository_id=repository_id,
            installation_id=repository.installation_id,
            full_name=repository.full_name,
            issue_id=issue_id,
            head_id=head_id or 0,
        )
    if head_id is None:
        if status == "ready" and repository.head_id is None:
            raise Ignore(f"{target.full_name} has no label to learn")
        after = min(LATEST, max(SOONEST, waited / 2))
        raise RetryLater(f"{target.full_name} is still being learned", after=after)
    return target


def _usable_head(context: Context, session: Session, repository: Repository) -> int | None:
    """The serving head; None, and learning asked for, where another encoder made its vectors."""
    if repository.head_id is None:
        return None
    stored = session.get_one(StoredHead, repository.head_id)
    if (stored.bundle, stored.backend) == (context.encoder.bundle_id, context.encoder.backend):
        return stored.id
    request_learning(session, repository.id, reason="another encoder serves")
    return None


def _decide(
    context: Context, target: Target, *, filed: Issue, issue: Issue, rules: Rules
) -> tuple[Decision, ...]:
    """Encode and score the text as filed; decide on the issue as it stands now."""
    with context.database.session() as session:
        head = context.head(session, target.head_id)
        available = [label.name for label in labels.active(session, target.repository_id)]
        removed = label_events.removed_by_human(session, target.issue_id)
    text = issue_text(filed.title, filed.body)
    vector = context.encoder.encode([text.joined])
    with context.database.session() as session:
        stored = issues.get(session, target.issue_id)
        # A vector is kept for the text that is kept: the one as filed, not an edit of it.
        if stored is not None and (stored.title, stored.body) == (filed.title, filed.body):
            vectors.save(session, [(target.issue_id, vector[0])], **context.vector_key)
    (scores,) = head.score([text], vector, [filed.author_association])
    return decide(
        scores,
        rules=rules,
        exclusive=head.exclusive,
        present=issue.labels,
        removed_by_human=removed,
        available=available,
    )


def _record(
    context: Context,
    target: Target,
    decided: Sequence[Decision],
    *,
    rules: Rules,
    delivery_id: int,
) -> None:
    """Store the decisions and what is to be written because of them, in one transaction."""
    with context.database.session() as session:
        acts = rules.mode != "dry-run"
        if acts and silence.draw_once(session, target.issue_id, share=rules.silent_share).silent:
            decided, acts = [_unsaid(decision) for decision in decided], False
        ids = decisions.record(
            session,
            target.issue_id,
            decided,
            delivery_id=delivery_id,
            head_id=target.head_id,
            bundle=context.encoder.bundle_id,
        )
        if acts:
            applying.plan(session, target.issue_id, list(zip(ids, decided, strict=True)))


def _unsaid(decision: Decision) -> Decision:
    """What was decided on an issue of the silent share; silence is no action, it has no reason to give."""
    if decision.action == "abstain":
        return decision
    return replace(decision, reason=f"{decision.reason}; {SILENT}")

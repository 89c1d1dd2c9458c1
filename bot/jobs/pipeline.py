"""The road of one new issue: read rules, re-read issue, encode, score, decide, record, apply.

The only place where the stages meet. Every stage is a function elsewhere; nothing here knows SQL, HTTP
or a model. A job that runs twice decides once: decisions are stored per delivery before anything is
written to GitHub, and a second run goes on from them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bot.classify.encoder import Encoder
from bot.core.decide import decide
from bot.core.rules import Rules
from bot.core.text import issue_text
from bot.core.types import Decision, Issue
from bot.errors import Ignore, RetryLater, UserError
from bot.jobs import applying
from bot.jobs.context import Context, key_of
from bot.jobs.house_rules import current_rules
from bot.jobs.requests import request_learning
from bot.jobs.served import served
from bot.store import (
    bundles,
    decisions,
    deliveries,
    issues,
    label_events,
    labels,
    outlines,
    silence,
    vectors,
)
from bot.store.tables import Head as StoredHead
from bot.store.tables import Repository

log = logging.getLogger(__name__)

KEPT_SILENT = "nothing is done: the issue is of the silent share"

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
    encoder: Encoder
    """By whose vectors the head was fitted."""


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
    outcome = applying.apply_pending(context, issue_id=target.issue_id)
    _embed_for_the_next(context, target, filed)
    return outcome


def _store_issue(
    context: Context, *, repository_id: int, filed: Issue, as_filed: bool, delivery_id: int
) -> Target:
    with context.database.session() as session:
        repository = served(session, repository_id)
        issue_id = issues.upsert(session, repository_id, filed, as_filed=as_filed)
        encoder = _encoder(context, session, repository)
        if encoder is not None and repository.head_id is not None:
            return Target(
                repository_id=repository_id,
                installation_id=repository.installation_id,
                full_name=repository.full_name,
                issue_id=issue_id,
                head_id=repository.head_id,
                encoder=encoder,
            )
        waited = deliveries.age(session, delivery_id)
    if repository.status == "ready" and repository.head_id is None:
        raise Ignore(f"{repository.full_name} has no label to learn")
    after = min(LATEST, max(SOONEST, waited / 2))
    raise RetryLater(f"{repository.full_name} is still being learned", after=after)


def _encoder(context: Context, session: Session, repository: Repository) -> Encoder | None:
    """Of the serving head; None, and learning asked for, where its bundle is not at hand."""
    if repository.head_id is None:
        return None
    encoder = context.encoder_for(session, session.get_one(StoredHead, repository.head_id))
    if encoder is None:
        request_learning(session, repository.id, reason="another encoder serves")
    return encoder


def _decide(
    context: Context, target: Target, *, filed: Issue, issue: Issue, rules: Rules
) -> tuple[Decision, ...]:
    """Encode and score the text as filed; decide on the issue as it stands now."""
    with context.database.session() as session:
        head = context.head(session, target.head_id)
        available = [label.name for label in labels.active(session, target.repository_id)]
        removed = label_events.removed_by_human(session, target.issue_id)
    text = issue_text(filed.title, filed.body)
    vector = target.encoder.encode([text.joined])
    _keep_vector(context, target.encoder, target.issue_id, filed, vector[0])
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
            bundle=target.encoder.bundle_id,
        )
        planned = zip(ids, decided, strict=True) if acts else ()
        applying.plan(session, target.issue_id, list(planned))


def _keep_vector(
    context: Context, encoder: Encoder, issue_id: int, filed: Issue, vector: NDArray[np.float32]
) -> None:
    """A vector is kept for the text that is kept: the one as filed, not an edit of it."""
    with context.database.session() as session:
        if outlines.unchanged(session, {issue_id: (filed.title, filed.body)}):
            vectors.save(session, [(issue_id, vector)], **key_of(encoder))


def _embed_for_the_next(context: Context, target: Target, filed: Issue) -> None:
    """While a promotion runs, so that the challenger's head misses nothing; the champion does not wait
    for it, and does not fall with it."""
    with context.database.session() as session:
        row = bundles.challenger(session)
        if row is None or row.id == target.encoder.bundle_id:
            return
        try:
            encoder = context.encoder_of(session, row.id)
        except UserError as error:
            log.error("the challenger cannot be opened: %s", error)
            return
    (vector,) = encoder.encode([issue_text(filed.title, filed.body).joined])
    _keep_vector(context, encoder, target.issue_id, filed, vector)


def _unsaid(decision: Decision) -> Decision:
    """What was decided on an issue of the silent share; silence is no action, it has no reason to give."""
    if decision.action == "abstain":
        return decision
    return replace(decision, reason=f"{decision.reason}; {KEPT_SILENT}")

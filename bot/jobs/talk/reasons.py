"""`/why`: the stored decisions on an issue, with the examples and the words behind them.

Nothing is decided here. What is looked up comes from the same repository only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.classify.encoder import Encoder
from bot.classify.explain import telling_words
from bot.classify.head import Head
from bot.core import wording
from bot.core.decide import HAS_IT
from bot.core.text import issue_text
from bot.core.types import IssueText
from bot.core.wording import Reason
from bot.errors import UserError
from bot.jobs.context import Context, key_of
from bot.store import decisions, effects, issues
from bot.store.issues import StoredIssue
from bot.store.neighbours import nearest_labelled
from bot.store.tables import Decision, Effect
from bot.store.tables import Head as StoredHead

MOST_REASONS = 6
"""Labels told of: those with an effect, then the likeliest others."""


@dataclass(frozen=True, slots=True)
class _Decider:
    """The head behind a decision, as far as it is still there."""

    version: int | None
    head: Head | None
    encoder: Encoder | None

    def said(self, decision: Decision) -> str:
        return wording.decided(decision.decided_at, head=self.version, bundle=decision.bundle)


def explain(context: Context, issue_id: int) -> str:
    """The answer to `/why`."""
    with context.database.session() as session:
        decided = _latest(decisions.of_issue(session, issue_id))
        done = {effect.decision_id: effect for effect in effects.of_issue(session, issue_id)}
        issue = issues.get(session, issue_id)
        if not decided or issue is None:
            return wording.UNDECIDED
        by = {id_: _decider(context, session, id_) for id_ in {one.head_id for one in decided}}
        like = {d.label: _like(by[d.head_id].encoder, session, issue_id, d) for d in decided}
    reasons = [
        _reason(one, done.get(one.id), issue=issue, by=by[one.head_id], like=like[one.label])
        for one in decided
    ]
    newest = max(decided, key=lambda decision: decision.decided_at)
    return wording.why(reasons, by=by[newest.head_id].said(newest))


def _latest(found: Sequence[Decision]) -> list[Decision]:
    """The last decision on each label; those with an effect first, then by probability. That a label was
    there already is none where we had decided on it before: it was we who set it, or wanted to."""
    latest: dict[str, Decision] = {}
    for decision in found:
        if decision.reason != HAS_IT or decision.label not in latest:
            latest[decision.label] = decision
    order = {"apply": 0, "suggest": 1, "abstain": 2}
    ranked = sorted(latest.values(), key=lambda d: (order[d.action], -d.probability))
    return ranked[:MOST_REASONS]


def _decider(context: Context, session: Session, head_id: int | None) -> _Decider:
    """The head itself is None where it is gone or of a version that this code no longer reads."""
    stored = session.get(StoredHead, head_id) if head_id is not None else None
    if stored is None:
        return _Decider(None, None, None)
    try:
        head = context.head(session, stored.id)
    except (LookupError, UserError):
        head = None
    return _Decider(stored.version, head, context.encoder_for(session, stored))


def _like(
    encoder: Encoder | None, session: Session, issue_id: int, decision: Decision
) -> tuple[int, ...]:
    if encoder is None or decision.action == "abstain":
        return ()
    found = nearest_labelled(session, issue_id, decision.label, **key_of(encoder))
    return tuple(one.number for one in found)


def _words(by: _Decider, issue: StoredIssue, decision: Decision) -> tuple[str, ...]:
    head = by.head
    if head is None or decision.action == "abstain" or decision.label not in head.labels:
        return ()
    text: IssueText = issue_text(issue.title, issue.body)
    encode = by.encoder.encode if by.encoder else None
    return telling_words(
        head, text, decision.label, association=issue.author_association, encode=encode
    )


def _reason(
    decision: Decision,
    effect: Effect | None,
    *,
    issue: StoredIssue,
    by: _Decider,
    like: tuple[int, ...],
) -> Reason:
    return Reason(
        label=decision.label,
        action=decision.action,  # type: ignore[arg-type] # the table checks it
        reason=decision.reason,
        probability=decision.probability,
        threshold=decision.threshold,
        happened=_happened(decision, effect),
        words=_words(by, issue, decision),
        like=like,
        by=by.said(decision),
    )


def _happened(decision: Decision, effect: Effect | None) -> str:
    """Why what was decided is not on the issue; "" where it is, or nothing was to be done."""
    if decision.action == "abstain":
        return ""
    if effect is None:
        return "nothing was written: a dry run, or an issue left alone on purpose"
    if effect.status == "pending":
        return "it waits for its turn"
    return "" if effect.status == "done" else effect.detail or effect.status

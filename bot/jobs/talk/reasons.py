"""`/why`: the stored decisions on an issue, with the examples and the words behind them.

Nothing is decided here. What is looked up comes from the same repository only.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from bot.classify.encoder import Encoder
from bot.classify.explain import Encode, telling_words
from bot.classify.head import Head
from bot.core import answers
from bot.core.answers import Reason
from bot.core.text import issue_text
from bot.core.types import IssueText
from bot.errors import UserError
from bot.jobs.context import Context, key_of
from bot.store import decisions, effects, issues
from bot.store.issues import StoredIssue
from bot.store.neighbours import nearest_labelled
from bot.store.tables import Decision, Effect
from bot.store.tables import Head as StoredHead

MOST_REASONS = 6
"""Labels told of: those with an effect, then the likeliest others."""


def explain(context: Context, issue_id: int) -> str:
    """The answer to `/why`."""
    with context.database.session() as session:
        decided = _latest(decisions.of_issue(session, issue_id))
        done = {effect.decision_id: effect for effect in effects.of_issue(session, issue_id)}
        issue = issues.get(session, issue_id)
        if not decided or issue is None:
            return answers.UNDECIDED
        newest = max(decided, key=lambda decision: decision.decided_at)
        head = _head(context, session, newest.head_id)
        stored = session.get(StoredHead, newest.head_id) if newest.head_id else None
        encoder = context.encoder_for(session, stored)
        like = {d.label: _like(encoder, session, issue_id, d) for d in decided}
    encode = encoder.encode if encoder else None
    reasons = [
        _reason(one, done.get(one.id), like=like[one.label], words=_words(head, issue, one, encode))
        for one in decided
    ]
    return answers.why(
        reasons,
        decided_at=newest.decided_at,
        head=stored.version if stored else None,
        bundle=newest.bundle,
    )


def _latest(found: Sequence[Decision]) -> list[Decision]:
    """The last decision on each label; those with an effect first, then by probability."""
    latest = {decision.label: decision for decision in found}
    order = {"apply": 0, "suggest": 1, "abstain": 2}
    ranked = sorted(latest.values(), key=lambda d: (order[d.action], -d.probability))
    return ranked[:MOST_REASONS]


def _head(context: Context, session: Session, head_id: int | None) -> Head | None:
    """The head that decided; None where it is gone or of a version that this code no longer reads."""
    if head_id is None:
        return None
    try:
        return context.head(session, head_id)
    except (LookupError, UserError):
        return None


def _like(
    encoder: Encoder | None, session: Session, issue_id: int, decision: Decision
) -> tuple[int, ...]:
    if encoder is None or decision.action == "abstain":
        return ()
    found = nearest_labelled(session, issue_id, decision.label, **key_of(encoder))
    return tuple(one.number for one in found)


def _words(
    head: Head | None, issue: StoredIssue, decision: Decision, encode: Encode | None
) -> tuple[str, ...]:
    if head is None or decision.action == "abstain" or decision.label not in head.labels:
        return ()
    text: IssueText = issue_text(issue.title, issue.body)
    return telling_words(
        head, text, decision.label, association=issue.author_association, encode=encode
    )


def _reason(
    decision: Decision, effect: Effect | None, *, like: tuple[int, ...], words: tuple[str, ...]
) -> Reason:
    return Reason(
        label=decision.label,
        action=decision.action,  # type: ignore[arg-type] # the table checks it
        reason=decision.reason,
        probability=decision.probability,
        threshold=decision.threshold,
        happened=_happened(decision, effect),
        words=words,
        like=like,
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

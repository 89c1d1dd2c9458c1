"""The silent share in the store: which issues are left alone, and what each issue is worth as evidence.

An issue is drawn once, when it is first decided on, and stays drawn; a dry run draws none, for it acts
on none. Refuses to take an issue on which we acted for unbiased, however little we did there.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from bot.core.silence import Draw, draw, monthly_share
from bot.store.tables import Decision, Effect, Issue

MONTH = timedelta(days=30)


def draw_once(session: Session, issue_id: int, *, share: float) -> Draw:
    """Whether nothing is to be said on the issue; drawn at the share that holds for the repository now
    if it was not drawn before. `share` is what the rules ask for."""
    row = session.get_one(Issue, issue_id, with_for_update=True)
    if row.silence is None:
        holds = monthly_share(share, issues=_issues_of_a_month(session, row.repository_id))
        drawn = draw(row.github_id, seed=row.repository_id, share=holds)
        row.silence, row.silent = drawn.probability, drawn.silent
        session.flush()
    return Draw(row.silent, row.silence)


def break_silence(session: Session, issue_id: int) -> None:
    """Somebody asked us to act on the issue: it is no evidence from now on, and is not drawn either where
    nothing was decided on it yet."""
    never = func.coalesce(Issue.silence, 0.0)
    session.execute(update(Issue).where(Issue.id == issue_id).values(silent=False, silence=never))


def is_kept(session: Session, repository_id: int, number: int) -> bool:
    """Whether nothing is said on the issue of this number."""
    here = (Issue.repository_id == repository_id, Issue.number == number)
    return bool(session.scalar(select(Issue.silent).where(*here)))


def evidence_weights(session: Session, repository_id: int) -> dict[int, float]:
    """Issue id -> how many issues it stands for as unbiased evidence.

    1 where we could not have acted: the history from before the App was installed, what arrived while
    it was away, dry runs. 1 / probability on the silent share. 0 where we may have acted.
    """
    acted = exists().where(Effect.issue_id == Issue.id)
    statement = select(Issue.id, Issue.silence, Issue.silent, acted.label("acted")).where(
        Issue.repository_id == repository_id
    )
    return {
        row.id: 1 / row.silence if row.silent else float(row.silence is None and not row.acted)
        for row in session.execute(statement)
    }


def decided_labels(session: Session, repository_id: int) -> dict[int, set[str]]:
    """Id of every issue that was decided on -> the labels that were last decided to be applied."""
    here = Issue.repository_id == repository_id
    decided = select(Decision.issue_id).join(Issue, Issue.id == Decision.issue_id).where(here)
    found: dict[int, set[str]] = {id_: set() for id_ in session.scalars(decided.distinct())}
    later = aliased(Decision)
    revised = exists().where(
        later.issue_id == Decision.issue_id, later.label == Decision.label, later.id > Decision.id
    )
    applied = (
        select(Decision.issue_id, Decision.label)
        .join(Issue, Issue.id == Decision.issue_id)
        .where(here, Decision.action == "apply", ~revised)
    )
    for issue_id, label in session.execute(applied):
        found[issue_id].add(label)
    return found


def labels_set(session: Session, repository_id: int) -> dict[int, set[str]]:
    """Issue id -> the labels that we really set on it."""
    statement = (
        select(Effect.issue_id, Effect.label)
        .join(Issue, Issue.id == Effect.issue_id)
        .where(Issue.repository_id == repository_id, Effect.kind == "add", Effect.status == "done")
    )
    found: dict[int, set[str]] = {}
    for issue_id, label in session.execute(statement):
        found.setdefault(issue_id, set()).add(label)
    return found


def _issues_of_a_month(session: Session, repository_id: int) -> int:
    """Issues of the last 30 days; pull requests are none."""
    statement = select(func.count()).where(
        Issue.repository_id == repository_id,
        Issue.created_at > func.now() - MONTH,
        ~Issue.is_pull_request,
    )
    return session.scalar(statement) or 0

"""Suggestions, where a repository wants them: in GitHub's own list, else (if the rules ask for it) in one
comment with a box per label, else nowhere. And what happens when somebody ticks a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core import wording
from bot.core.rules import Rules
from bot.core.types import Issue
from bot.errors import Ignore
from bot.github.client import InstallationClient
from bot.github.comments import hidden
from bot.github.occurrences import CommentEdited
from bot.github.suggestions import Suggestion
from bot.jobs.behalf import Scene, Word, put_on, speak_against
from bot.jobs.context import Context
from bot.jobs.house_rules import current_rules
from bot.jobs.served import served
from bot.jobs.turn import NotYet, Turn
from bot.store import answers, issues, labels

MARKER = "suggestions"


@dataclass(frozen=True)
class Suggesting:
    """Where suggestions are to be made."""

    context: Context
    client: InstallationClient
    rules: Rules
    full_name: str
    issue_id: int
    issue: Issue
    turn: Turn


def suggest(where: Suggesting, rows: Sequence[Suggestion]) -> tuple[dict[str, str], str]:
    """Make suggestions; (label -> why it was not made, in what way the others were)."""
    if where.rules.suggestions == "none":
        return _none(rows, "the rules say not to suggest"), ""
    native = where.client.suggest_labels(
        where.full_name, where.issue.number, rows, issue=where.issue, before_write=where.turn
    )
    if native.supported:
        return dict(native.skipped), ""
    if where.rules.suggestions != "comment":
        return _none(rows, "the repository has no suggestions"), ""
    if where.issue.locked:
        return _none(rows, "the conversation is locked"), ""
    return _in_comment(where, rows), answers.IN_COMMENT


def _none(rows: Sequence[Suggestion], why: str) -> dict[str, str]:
    return {row.label: why for row in rows}


def _in_comment(where: Suggesting, rows: Sequence[Suggestion]) -> dict[str, str]:
    """One comment for all suggestions that the issue ever got, so that ticks stay where they are."""
    with where.context.database.session() as session:
        earlier = answers.in_comment(session, where.issue_id)
    known = {one.label: one.verdict for one in earlier}
    new = [row for row in rows if row.label not in known]
    if new:
        where.client.comment(
            where.full_name,
            where.issue.number,
            wording.suggestion_comment(
                [
                    *((one.label, one.reason) for one in earlier),
                    *((r.label, r.rationale) for r in new),
                ],
                ticked={label for label, verdict in known.items() if verdict == "approved"},
            ),
            marker=MARKER,
            before_write=where.turn.notifying,
        )
    return {
        row.label: f"was suggested before ({known[row.label] or 'pending'})"
        for row in rows
        if row.label in known
    }


def boxes_ticked(context: Context, event: CommentEdited) -> str:
    """Somebody changed a comment. Where it is ours and has boxes, ticks are obeyed, each once.

    Raises:
        Ignore: it is nothing of that kind. RetryLater: GitHub, or our turn, is to be waited for.
    """
    us = context.auth.identity()
    if event.author != us.login or event.sender.is_bot or hidden(MARKER) not in event.body:
        raise Ignore("not our boxes, or not ticked by a person")
    with context.database.session() as session:
        repository = served(session, event.repository.id)
        issue_id = issues.upsert(session, repository.id, event.issue, as_filed=False)
        asked = answers.ask(session, issue_id, comment_id=event.comment_id, actor=us.login)
        scene = Scene.at(
            context,
            repository,
            number=event.issue.number,
            issue_id=issue_id,
            turn_at=asked.turn_at,
        )
        waiting = [one.label for one in answers.open_suggestions(session, issue_id, "comment")]
        former = labels.former_names(session, repository.id)
    ticked, none = wording.ticked_boxes(event.body, waiting, former=former)
    _check(scene, event, anything=bool(ticked or (none and waiting)))
    try:
        word = Word(event.sender.login, event.at, event.comment_id)
        return _answer(scene, ticked, waiting if none else [], word=word)
    except NotYet:
        raise scene.come_back(asked.id) from None


def _check(scene: Scene, event: CommentEdited, *, anything: bool) -> None:
    client = scene.context.client(scene.installation_id)
    if not anything:
        raise Ignore("no box was ticked")
    if current_rules(scene.context, client, scene.repository_id).mode == "dry-run":
        raise Ignore("a dry run: nothing is written")
    if not client.permission(scene.full_name, event.sender.login).may_triage:
        raise Ignore(f"{event.sender.login} may not tick boxes here")


def _answer(scene: Scene, ticked: Sequence[str], refused: Sequence[str], *, word: Word) -> str:
    rest = [label for label in refused if label not in ticked]
    skipped = put_on(scene, ticked, word=word) if ticked else ()
    if skipped:  # a label that is gone, or that was taken off since: nobody can approve it any more
        with scene.context.database.session() as session:
            answers.void(session, scene.issue_id, [label for label, _ in skipped])
    if rest:
        speak_against(scene, rest, actor=word.actor)
    return f"{len(ticked)} suggestions approved and {len(rest)} dismissed by {word.actor}"

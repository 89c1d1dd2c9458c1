"""One comment of ours per marker, edited in place, and reactions to other people's. A retry finds its
marker and posts nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from bot.errors import GiveUp
from bot.github.addresses import in_repository, of_issue
from bot.github.payloads import AppIdentity, actor_from, dig, may, need
from bot.github.reads import Reader
from bot.github.writes import Writer

WRITE = "issues: write"

Reaction = Literal["+1", "-1", "confused", "eyes"]


@dataclass(frozen=True, slots=True)
class Comment:
    """Our comment, and what it took to have it there."""

    id: int
    outcome: Literal["posted", "edited", "unchanged", "absent"]


def hidden(marker: str) -> str:
    """The marker as it stands in the comment; nobody sees it on the page."""
    if "--" in marker or ">" in marker or not marker:
        raise GiveUp(f"{marker!r} cannot be a marker: it would end the HTML comment it lives in")
    return f"<!-- labelwright:{marker} -->"


def upsert_comment(
    reader: Reader,
    writer: Writer,
    full_name: str,
    number: int,
    body: str,
    *,
    marker: str,
    us: AppIdentity,
    post: bool = True,
    before_write: Callable[[], None] = lambda: None,
) -> Comment:
    """Make the comment with this marker say `body`: post it, edit it, or leave it as it is.

    Args:
        post: whether to post it where it is not there.
        before_write: called right before it is written, to wait for a turn.
    """
    text = f"{body}\n\n{hidden(marker)}"
    found = _find(reader, full_name, number, mark=hidden(marker), us=us)
    if found is None and not post:
        return Comment(0, "absent")
    if found is None:
        before_write()
        return _post(writer, full_name, number, text)
    comment_id = need(found, "id", int, of="comment")
    if may(found, "body", str, "").replace("\r\n", "\n") == text:
        return Comment(comment_id, "unchanged")
    before_write()
    writer.send(
        "PATCH",
        in_repository(full_name, "issues", "comments", comment_id),
        doing=f"edit our comment on {full_name}#{number}",
        permission=WRITE,
        document={"body": text},
    )
    return Comment(comment_id, "edited")


def react(writer: Writer, full_name: str, comment_id: int, content: Reaction) -> None:
    """React to a comment; GitHub keeps one reaction of a kind per account. A comment that is gone
    takes none, which is fine."""
    writer.send(
        "POST",
        in_repository(full_name, "issues", "comments", comment_id, "reactions"),
        doing=f"react to a comment in {full_name}",
        permission=WRITE,
        document={"content": content},
        allow=(404, 410),
    )


def _post(writer: Writer, full_name: str, number: int, text: str) -> Comment:
    answer = writer.send(
        "POST",
        of_issue(full_name, number, "comments"),
        doing=f"comment on {full_name}#{number}",
        permission=WRITE,
        document={"body": text},
    )
    return Comment(need(answer.body, "id", int, of="comment"), "posted")


def _find(reader: Reader, full_name: str, number: int, *, mark: str, us: AppIdentity) -> Any | None:
    """Our own comment only: anybody can quote a marker."""
    rows = reader.rows(
        of_issue(full_name, number, "comments"),
        doing=f"read the comments of {full_name}#{number}",
        permission="issues: read",
    )
    for row in rows:
        ours = actor_from(dig(row, "user"), us=us).is_us
        if ours and mark in may(row, "body", str, ""):
            return row
    return None

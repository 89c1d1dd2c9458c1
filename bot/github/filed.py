"""The text as filed: what an issue said before anybody edited it.

REST tells the current text only. GraphQL tells the first version of a body (`userContentEdits`) and the
title before its first rename. Where neither is to be had, the text is the current one, not certain.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bot.core.types import Issue
from bot.errors import GiveUp, Ignore, LabelwrightError
from bot.github.history import ListedIssue
from bot.github.limits import Answer, Backoff, checked
from bot.github.payloads import dig, may, need
from bot.github.reads import Reader

log = logging.getLogger(__name__)

BATCH = 50
"""Issues a query; GitHub prices it at one point, but cuts queries that run for over 10 s."""


class FiledText(NamedTuple):
    """Title and body; `certain` is false where they may have been edited since."""

    title: str
    body: str
    certain: bool

    def of(self, issue: Issue) -> Issue:
        """The issue with this text."""
        return replace(issue, title=self.title, body=self.body)


def texts_as_filed(
    reader: Reader, full_name: str, issues: Sequence[Issue], *, backoff: Backoff
) -> list[FiledText]:
    """The text as filed of each issue, in order: one query per 50 of them.

    Raises:
        RetryLater: a limit or an outage; a GitHub without GraphQL gives uncertain texts instead.
    """
    filed: list[FiledText] = []
    for start in range(0, len(issues), BATCH):
        batch = issues[start : start + BATCH]
        touched = [issue.number for issue in batch if not _untouched(issue)]
        nodes = _ask(reader, full_name, touched, backoff=backoff) if touched else {}
        filed += [_filed_text(issue, nodes.get(f"i{issue.number}")) for issue in batch]
    return filed


def _untouched(issue: Issue) -> bool:
    return isinstance(issue, ListedIssue) and issue.untouched


def _ask(
    reader: Reader, full_name: str, numbers: Sequence[int], *, backoff: Backoff
) -> dict[str, Any]:
    owner, _, name = full_name.partition("/")
    doing = f"read the first versions of {len(numbers)} issues of {full_name}"
    answer = reader.graphql(_query(numbers), variables={"owner": owner, "name": name}, doing=doing)
    try:
        _raise_limits(answer, doing=doing, backoff=backoff)
        checked(answer, doing=doing, permission="issues: read", backoff=backoff)
    except (GiveUp, Ignore) as error:
        log.info("text as filed is uncertain: %s", error)
        return {}
    return may(answer.body, "data.repository", dict, {})


def _raise_limits(answer: Answer, *, doing: str, backoff: Backoff) -> None:
    """GraphQL tells its limit with status 200."""
    errors = may(answer.body, "errors", list, [])
    if any(may(error, "type", str, "") == "RATE_LIMITED" for error in errors):
        limited = Answer(429, answer.headers)
        checked(limited, doing=doing, permission="issues: read", backoff=backoff)


def _query(numbers: Sequence[int]) -> str:
    rows = "\n".join(f"    i{n}: issue(number: {n}) {_FIELDS}" for n in numbers)
    return f"""query TextAsFiled($owner: String!, $name: String!) {{
  repository(owner: $owner, name: $name) {{
{rows}
  }}
}}"""


# Both ends of the edits are asked for, so that their order does not matter.
_FIELDS = """{
      title body lastEditedAt includesCreatedEdit
      newest: userContentEdits(first: 1) { nodes { editedAt diff } }
      oldest: userContentEdits(last: 1) { nodes { editedAt diff } }
      timelineItems(first: 1, itemTypes: [RENAMED_TITLE_EVENT]) {
        nodes { ... on RenamedTitleEvent { previousTitle } }
      }
    }"""


def _filed_text(issue: Issue, node: object) -> FiledText:
    """Falls back on the text we were given, half by half."""
    if _untouched(issue):
        return FiledText(issue.title, issue.body, True)
    if not isinstance(node, dict):
        return FiledText(issue.title, issue.body, False)
    title = _first_title(node, otherwise=issue.title)
    body = _first_body(node, otherwise=issue.body)
    return FiledText(title, issue.body if body is None else body, body is not None)


def _first_title(node: dict[str, Any], *, otherwise: str) -> str:
    renames = may(node, "timelineItems.nodes", list, [])
    if renames:
        return may(renames[0], "previousTitle", str, otherwise)
    return may(node, "title", str, otherwise)


def _first_body(node: dict[str, Any], *, otherwise: str) -> str | None:
    """None where the first version is not kept (edits before 2018) or was deleted from history."""
    if dig(node, "lastEditedAt") is None:
        return may(node, "body", str, otherwise)
    if dig(node, "includesCreatedEdit") is not True:
        return None
    ends = may(node, "newest.nodes", list, []) + may(node, "oldest.nodes", list, [])
    try:
        first = min(ends, key=lambda edit: need(edit, "editedAt", str))
        return need(first, "diff", str)
    except (ValueError, LabelwrightError):
        return None

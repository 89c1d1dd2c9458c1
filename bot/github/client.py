"""What the bot reads and writes as one installation: few calls, each named for what it does.

Labels are added by POST and removed by name; the whole set is never replaced, for that loses what
others did meanwhile. Whether a label may be written at all is decided in `bot.github.apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import httpx

from bot.core.types import Issue, LabelEvent, RepositoryLabel
from bot.errors import Ignore
from bot.github import filed, history
from bot.github.addresses import can_address, in_repository, of_issue
from bot.github.comments import Comment, Reaction, react, upsert_comment
from bot.github.contents import Contents, NotModified, read_contents
from bot.github.filed import FiledText
from bot.github.history import EventsPage, IssuesPage
from bot.github.limits import Backoff
from bot.github.payloads import (
    AppIdentity,
    RepositoryRef,
    dig,
    issue_from,
    label_event_from,
    label_from,
    may,
    repository_from,
)
from bot.github.permissions import UserPermission, read_permission
from bot.github.reads import Reader, rows_of
from bot.github.suggestions import (
    KnownSuggestion,
    Suggested,
    Suggestion,
    list_suggestions,
    suggest,
)
from bot.github.tokens import TokenSource
from bot.github.writes import Writer

READ = "issues: read"
WRITE = "issues: write"


class InstallationClient:
    """Calls as one installation. Safe among threads. `AppAuth.client` makes and keeps them.

    Every method may raise `RetryLater` (limit, outage), `Ignore` (gone, suspended, archived) and
    `GiveUp` (not allowed; the message names the permission).
    """

    def __init__(
        self,
        source: TokenSource,
        *,
        api_url: str,
        http: httpx.Client,
        identity: Callable[[], AppIdentity],
    ) -> None:
        self._backoff = Backoff()
        self._reader = Reader(source, api_url=api_url, backoff=self._backoff)
        self._writer = Writer(source, api_url=api_url, http=http, backoff=self._backoff)
        self._identity = identity

    def close(self) -> None:
        self._reader.close()

    # reads

    def repository(self, full_name: str) -> RepositoryRef:
        """The repository under its present name."""
        doing = f"read the repository {full_name}"
        answer = self._reader.get(
            in_repository(full_name), doing=doing, permission="metadata: read"
        )
        return repository_from(answer.body)

    def issue(self, full_name: str, number: int) -> Issue:
        """The issue as it is now. `Ignore` where it is gone or moved to another repository."""
        answer = self._reader.get(
            of_issue(full_name, number),
            doing=f"read issue {full_name}#{number}",
            permission=READ,
        )
        address = may(answer.body, "repository_url", str, "")
        if dig(answer.body, "number") != number or not self._is_at(address, full_name):
            raise Ignore(f"{full_name}#{number} was moved to another repository")
        return issue_from(answer.body)

    def issue_events(
        self, full_name: str, number: int, *, issue: Issue | None = None
    ) -> list[LabelEvent]:
        """All label events, oldest first. `issue` spares a call; it tells a form's labels from others."""
        issue = issue or self.issue(full_name, number)
        us = self._identity()
        doing = f"read the events of {full_name}#{number}"
        address = of_issue(full_name, number, "events")
        rows = self._reader.rows(address, doing=doing, permission=READ)
        found = (label_event_from(row, issue=issue, us=us) for row in rows)
        return [event for event in found if event is not None]

    def issues_page(self, full_name: str, cursor: str | None = None) -> IssuesPage:
        """A page of issues, open and closed, oldest first, without pull requests; the next cursor.

        The cursor is a string to keep: another process goes on from it.
        """
        return history.issues_page(self._reader, full_name, cursor)

    def label_events_page(
        self, full_name: str, cursor: str | None = None, *, etag: str | None = None
    ) -> EventsPage:
        """A page of the label events of the whole repository, newest first; free while `etag` holds."""
        return history.events_page(self._reader, full_name, cursor, us=self._identity(), etag=etag)

    def labels(self, full_name: str) -> list[RepositoryLabel]:
        """All labels of the repository."""
        doing = f"list the labels of {full_name}"
        rows = self._reader.rows(in_repository(full_name, "labels"), doing=doing, permission=READ)
        return [label_from(row) for row in rows]

    def label(self, full_name: str, name: str) -> RepositoryLabel | None:
        """The label of that name now, None where there is none, or none that could be asked for."""
        if not can_address(name):
            return None
        answer = self._reader.get(
            in_repository(full_name, "labels", name),
            doing=f"read a label of {full_name}",
            permission=READ,
            allow=(404,),
        )
        return None if answer.status == 404 else label_from(answer.body)

    def texts_as_filed(self, full_name: str, issues: Sequence[Issue]) -> list[FiledText]:
        """The text as filed of each issue, in order; one query per 50."""
        return filed.texts_as_filed(self._reader, full_name, issues, backoff=self._backoff)

    def contents(
        self, full_name: str, path: str, etag: str | None = None
    ) -> Contents | NotModified | None:
        """A text file of the default branch; `PermissionMissing` without `contents: read`."""
        return read_contents(self._reader, full_name, path, etag=etag)

    def permission(self, full_name: str, login: str) -> UserPermission:
        """What a user may do now."""
        return read_permission(self._reader, full_name, login)

    def suggestions(self, full_name: str, number: int) -> list[KnownSuggestion] | None:
        """All label suggestions of an issue, oldest first; None where the repository has none to give."""
        return list_suggestions(self._reader, full_name, number)

    # writes

    def add_labels(
        self, full_name: str, number: int, names: Sequence[str]
    ) -> list[RepositoryLabel]:
        """Put labels on an issue; answers with all labels it then has. May safely happen twice.

        GitHub creates a label that does not exist: `bot.github.apply` guards against that.
        """
        doing = f"label {full_name}#{number}"
        answer = self._writer.send(
            "POST",
            of_issue(full_name, number, "labels"),
            doing=doing,
            permission=WRITE,
            document={"labels": list(names)},
        )
        return [label_from(row) for row in rows_of(answer, doing=doing)]

    def remove_label(self, full_name: str, number: int, name: str) -> bool:
        """Take one label off an issue; False where it was not there."""
        answer = self._writer.send(
            "DELETE",
            of_issue(full_name, number, "labels", name),
            doing=f"take a label off {full_name}#{number}",
            permission=WRITE,
            allow=(404,),
        )
        return answer.status != 404

    def delete_label(self, full_name: str, name: str) -> bool:
        """Delete a label from the repository; False where it was gone."""
        answer = self._writer.send(
            "DELETE",
            in_repository(full_name, "labels", name),
            doing=f"delete a label of {full_name}",
            permission=WRITE,
            allow=(404,),
        )
        return answer.status != 404

    def suggest_labels(
        self,
        full_name: str,
        number: int,
        wanted: Sequence[Suggestion],
        *,
        issue: Issue | None = None,
        before_write: Callable[[], None] = lambda: None,
    ) -> Suggested:
        """Suggest labels in GitHub's own way; `.supported` is false where the repository cannot."""
        present = (issue or self.issue(full_name, number)).labels
        return suggest(
            self._reader,
            self._writer,
            full_name,
            number,
            wanted,
            present=present,
            exists=lambda name: self.label(full_name, name) is not None,
            events=lambda: self.issue_events(full_name, number),
            before_write=before_write,
        )

    def comment(
        self,
        full_name: str,
        number: int,
        body: str,
        *,
        marker: str,
        post: bool = True,
        before_write: Callable[[], None] = lambda: None,
    ) -> Comment:
        """Have one comment of ours with this hidden marker say `body`; posted once, then edited.

        `post`: whether to post it where it is not there; else nothing is done then.
        """
        return upsert_comment(
            self._reader,
            self._writer,
            full_name,
            number,
            body,
            marker=marker,
            us=self._identity(),
            post=post,
            before_write=before_write,
        )

    def react(self, full_name: str, comment_id: int, content: Reaction) -> None:
        """React to a comment. Once, however often it is called."""
        react(self._writer, full_name, comment_id, content)

    def _is_at(self, address: str, full_name: str) -> bool:
        """A redirect is followed to a renamed repository, but also to a transferred issue."""
        name = "/".join(address.rsplit("/", 2)[-2:])
        if not address or name.casefold() == full_name.casefold():
            return True
        return name.casefold() == self.repository(full_name).full_name.casefold()

"""What people of the sandbox say, tick, approve and dismiss, and what there is to read of it."""

from __future__ import annotations

from bot.sandbox import actions
from bot.sandbox.people import People
from bot.sandbox.records import Comment, Issue, Repository, Suggestion
from bot.sandbox.world import MAINTAINER


class Conversations(People):
    """People who answer each other and us. An actor is a login."""

    def comments(self, full_name: str, number: int, *, author: str | None = None) -> list[str]:
        """The comments of an issue, oldest first; of one author if given."""
        with self.state.lock:
            _, issue = self._issue(full_name, number)
            return [c.body for c in issue.comments if author in (None, c.author.login)]

    def reactions(self, full_name: str, comment_id: int) -> list[tuple[str, str]]:
        """(login, content) of the reactions to a comment."""
        with self.state.lock:
            _, comment = self._comment(self._repository(full_name), comment_id)
            return [(who.login, content) for (_, content), (_, who, _) in comment.reactions.items()]

    def edit_comment(
        self, full_name: str, number: int, old: str, new: str, *, actor: str = MAINTAINER
    ) -> None:
        """Change a part of the latest comment that holds it, as ticking a box does."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            comment = next(c for c in reversed(issue.comments) if old in c.body)
            actions.edit_comment(
                self.state, repository, issue, comment, comment.body.replace(old, new, 1),
                actor=self.state.account(actor),
            )  # fmt: skip

    def approve_suggestion(
        self, full_name: str, number: int, label: str, *, actor: str = MAINTAINER
    ) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            found = self._suggestion(repository, issue, label)
            who = self.state.account(actor)
            actions.approve_suggestion(self.state, repository, issue, found, actor=who)

    def dismiss_suggestion(
        self, full_name: str, number: int, label: str, *, actor: str = MAINTAINER
    ) -> None:
        """Told to nobody."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            found = self._suggestion(repository, issue, label)
            actions.dismiss_suggestion(self.state, found, actor=self.state.account(actor))

    def _comment(self, repository: Repository, comment_id: int) -> tuple[Issue, Comment]:
        for issue in repository.issues.values():
            for comment in issue.comments:
                if comment.id == comment_id:
                    return issue, comment
        raise LookupError(f"{repository.full_name} has no comment {comment_id}")

    def _suggestion(self, repository: Repository, issue: Issue, label: str) -> Suggestion:
        wanted = repository.label_ids[label.casefold()]
        for one in issue.suggestions.values():
            if one.label_id == wanted and one.state == "pending":
                return one
        raise LookupError(f"{label!r} is not suggested for {repository.full_name}#{issue.number}")

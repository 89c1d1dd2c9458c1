"""What people and other bots do in the sandbox. Each verb changes the state and sends the webhooks that
GitHub would."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox import actions, definitions
from bot.sandbox.definitions import label_named
from bot.sandbox.world import MAINTAINER, World


class People(World):
    """An actor is a login; one that ends in `[bot]` is a bot."""

    def open_issue(
        self,
        full_name: str,
        *,
        title: str,
        body: str | None = None,
        author: str = "reporter",
        association: str = "NONE",
        labels: Sequence[str] = (),
        is_pull_request: bool = False,
    ) -> int:
        """Returns the number. `labels` are those an issue form would set, in the author's name."""
        with self.state.lock:
            repository = self._repository(full_name)
            return actions.open_issue(
                self.state, repository, title=title, body=body,
                author=self.state.account(author), association=association,
                labels=[label_named(repository, name) for name in labels],
                is_pull_request=is_pull_request,
            ).number  # fmt: skip

    def label(self, full_name: str, number: int, name: str, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            known = label_named(repository, name)
            who = self.state.account(actor)
            actions.add_labels(self.state, repository, issue, [known.name], actor=who)

    def unlabel(self, full_name: str, number: int, name: str, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            label = label_named(repository, name)
            if label.id not in issue.labels:
                raise LookupError(f"{full_name}#{number} does not carry {name!r}")
            who = self.state.account(actor)
            actions.remove_label(self.state, repository, issue, label, actor=who)

    def edit_issue(
        self,
        full_name: str,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        actor: str = "reporter",
    ) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            actions.edit_issue(self.state, repository, issue, actor=who, title=title, body=body)

    def close_issue(
        self, full_name: str, number: int, *, actor: str = MAINTAINER, reason: str = "completed"
    ) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            actions.set_issue_state(
                self.state, repository, issue, "closed", actor=who, reason=reason
            )

    def reopen_issue(self, full_name: str, number: int, *, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            actions.set_issue_state(self.state, repository, issue, "open", actor=who)

    def lock_issue(
        self,
        full_name: str,
        number: int,
        *,
        on: bool = True,
        reason: str | None = None,
        actor: str = MAINTAINER,
    ) -> None:
        """`reason`: off-topic | too heated | resolved | spam; `on=False` unlocks."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            actions.lock_issue(self.state, repository, issue, actor=who, on=on, reason=reason)

    def delete_issue(self, full_name: str, number: int, *, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            actions.delete_issue(self.state, repository, issue, actor=self.state.account(actor))

    def transfer_issue(
        self, full_name: str, number: int, target: str, *, actor: str = MAINTAINER
    ) -> int:
        """Returns the number it has there."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            moved = actions.transfer_issue(
                self.state, repository, issue, self._repository(target), actor=who
            )
            return moved.number

    def comment(
        self,
        full_name: str,
        number: int,
        body: str,
        *,
        actor: str = "reporter",
        association: str = "NONE",
    ) -> int:
        """Returns the comment's id."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            who = self.state.account(actor)
            return actions.add_comment(
                self.state, repository, issue, body, actor=who, association=association
            ).id

    def create_label(
        self, full_name: str, name: str, *, description: str = "", actor: str = MAINTAINER
    ) -> int:
        """Returns the label's id."""
        with self.state.lock:
            repository = self._repository(full_name)
            if name.casefold() in repository.label_ids:
                raise ValueError(f"{full_name} has a label {name!r} already")
            return definitions.create_label(
                self.state, repository, name,
                actor=self.state.account(actor), description=description or None,
            ).id  # fmt: skip

    def edit_label(
        self,
        full_name: str,
        name: str,
        *,
        new_name: str | None = None,
        description: str | None = None,
        actor: str = MAINTAINER,
    ) -> None:
        wanted = {"name": new_name, "description": description}
        changed = {key: value for key, value in wanted.items() if value is not None}
        with self.state.lock:
            repository = self._repository(full_name)
            label = label_named(repository, name)
            who = self.state.account(actor)
            definitions.edit_label(self.state, repository, label, changed, actor=who)

    def delete_label(self, full_name: str, name: str, *, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository = self._repository(full_name)
            label = label_named(repository, name)
            who = self.state.account(actor)
            definitions.delete_label(self.state, repository, label, actor=who)

    def put_file(
        self, full_name: str, path: str, text: str | None, *, actor: str = MAINTAINER
    ) -> None:
        """Commit a file to the default branch, or remove it with None."""
        with self.state.lock:
            content = None if text is None else text.encode()
            repository = self._repository(full_name)
            who = self.state.account(actor)
            definitions.put_file(self.state, repository, path, content, actor=who)

    def rename_repository(self, full_name: str, name: str, *, actor: str = MAINTAINER) -> None:
        """`name` without the owner. The old name redirects from now on."""
        with self.state.lock:
            repository = self._repository(full_name)
            who = self.state.account(actor)
            definitions.rename_repository(self.state, repository, name, actor=who)

    def archive_repository(
        self, full_name: str, *, on: bool = True, actor: str = MAINTAINER
    ) -> None:
        with self.state.lock:
            repository = self._repository(full_name)
            who = self.state.account(actor)
            definitions.archive_repository(self.state, repository, actor=who, on=on)

    def delete_repository(self, full_name: str, *, actor: str = MAINTAINER) -> None:
        with self.state.lock:
            repository = self._repository(full_name)
            who = self.state.account(actor)
            definitions.delete_repository(self.state, repository, actor=who)

    def set_role(self, full_name: str, login: str, role: str) -> None:
        """admin | maintain | write | triage | read."""
        with self.state.lock:
            self.state.account(login)
            self._repository(full_name).roles[login.casefold()] = role

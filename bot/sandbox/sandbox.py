"""The sandbox whole: a world with people, and the App's side of it: installations, webhooks, and what a
test or a demo may look at. Needs no server by itself; `SandboxServer` puts it on a port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.sandbox import definitions
from bot.sandbox.conversations import Conversations
from bot.sandbox.exchanges import Exchange
from bot.sandbox.faults import Faults
from bot.sandbox.mail import Delivery
from bot.sandbox.payloads import event_payload, issue_payload
from bot.sandbox.records import Account, Installation
from bot.sandbox.routes_manifest import keep_manifest
from bot.sandbox.shapes import Json
from bot.sandbox.state import current_labels
from bot.sandbox.webhooks import ping_hook


class Sandbox(Conversations):
    """`url` is where it would answer; webhooks go out once `start` of its courier was called."""

    @property
    def url(self) -> str:
        return self.state.url

    @property
    def app_id(self) -> int:
        return self.app.id

    @property
    def webhook_secret(self) -> str:
        return self.app.webhook_secret

    @property
    def hook_url(self) -> str | None:
        """Where webhooks go; None sends none."""
        return self.app.hook_url

    @hook_url.setter
    def hook_url(self, url: str | None) -> None:
        self.app.hook_url = url

    @property
    def requests(self) -> list[Exchange]:
        """What was asked of the sandbox, oldest first."""
        return self.application.requests

    @property
    def faults(self) -> Faults:
        return self.application.faults

    @property
    def deliveries(self) -> list[Delivery]:
        """What was sent, oldest first."""
        return self.hooks.log

    # -- the App --------------------------------------------------------------------------------------

    def install(
        self,
        account: str,
        full_names: Iterable[str] | None = None,
        *,
        permissions: Mapping[str, str] | None = None,
    ) -> int:
        """Install the App on these repositories of the account, or on all. Returns the installation's id."""
        with self.state.lock:
            owner = self.state.account(account)
            chosen = None if full_names is None else [self._repository(one) for one in full_names]
            installation = definitions.install(
                self.state, self.app, owner, chosen,
                permissions=permissions, sender=self.state.account(f"{account}-admin"),
            )  # fmt: skip
            return installation.id

    def _installation(self, installation_id: int) -> Installation:
        found = self.state.installations.get(installation_id)
        if found is None:
            raise LookupError(f"the sandbox has no installation {installation_id}")
        return found

    def uninstall(self, installation_id: int) -> None:
        with self.state.lock:
            installation = self._installation(installation_id)
            definitions.uninstall(self.state, installation, sender=self._admin(installation))

    def suspend(self, installation_id: int, *, on: bool = True) -> None:
        """`on=False` wakes it again."""
        with self.state.lock:
            found = self._installation(installation_id)
            definitions.suspend(self.state, found, sender=self._admin(found), on=on)

    def grant(self, installation_id: int, **permissions: str) -> None:
        """The account accepts more permissions: `grant(id, contents="read")`."""
        with self.state.lock:
            found = self._installation(installation_id)
            definitions.grant(self.state, found, permissions, sender=self._admin(found))

    def change_repositories(
        self, installation_id: int, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        with self.state.lock:
            found = self._installation(installation_id)
            definitions.change_repositories(
                self.state,
                found,
                add=[self._repository(name) for name in add],
                remove=[self._repository(name) for name in remove],
                sender=self._admin(found),
            )

    def _admin(self, installation: Installation) -> Account:
        return self.state.account(f"{installation.account.login}-admin")

    def ping(self) -> None:
        with self.state.lock:
            ping_hook(self.state, self.app)

    def keep_manifest(self, manifest: dict[str, object], *, owner: str = "sandbox-owner") -> str:
        """As if a person had agreed to create this App: the code that the browser brings back."""
        with self.state.lock:
            return keep_manifest(self.state, manifest, owner=owner)

    def user_token(self, login: str) -> str:
        """A personal token that acts as `login`."""
        with self.state.lock:
            return self.state.user_token(login)

    # -- looking --------------------------------------------------------------------------------------

    def issue(self, full_name: str, number: int) -> Json:
        """The issue as REST tells it."""
        with self.state.lock:
            return issue_payload(self.state, *self._issue(full_name, number))

    def issue_labels(self, full_name: str, number: int) -> dict[str, str]:
        """Name -> login of whoever set it last."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            setters = {
                event.label[0].casefold(): event.actor.login
                for event in issue.events
                if event.kind == "labeled" and event.label is not None
            }
            names = [label.name for label in current_labels(repository, issue)]
            return {name: setters.get(name.casefold(), "") for name in names}

    def labels(self, full_name: str) -> dict[str, int]:
        """Name -> id of the labels that the repository defines now."""
        with self.state.lock:
            repository = self._repository(full_name)
            return {label.name: label.id for label in repository.labels.values()}

    def events(self, full_name: str, number: int) -> list[Json]:
        """The issue's events as REST tells them."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            return [event_payload(self.state, repository, event) for event in issue.events]

"""The sandbox's memory: every account, repository, App and token, behind one lock, with one clock.
It answers who and where; it changes nothing by itself and sends nothing."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.sandbox.mail import NoPost, Post
from bot.sandbox.records import (
    Account,
    AccountType,
    App,
    Installation,
    Issue,
    Label,
    Repository,
)

Clock = Callable[[], datetime]


def now_utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Token:
    """An installation token, or a person's own token."""

    value: str
    account: Account
    expires_at: datetime
    installation: Installation | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    repository_ids: frozenset[int] | None = None


class State:
    """Everything the sandbox knows. Hold `lock` for whatever reads or writes more than one thing."""

    def __init__(self, *, clock: Clock = now_utc) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.url = "http://localhost"
        self.post: Post = NoPost()
        self.accounts: dict[str, Account] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.repositories: dict[int, Repository] = {}
        self.names: dict[str, int] = {}
        self.tokens: dict[str, Token] = {}
        self.manifests: dict[str, tuple[datetime, str, dict[str, object]]] = {}
        self._ids = itertools.count(1_000_001)

    def now(self) -> datetime:
        return self.clock()

    def next_id(self) -> int:
        """One counter for all nouns, so that no two ids are ever equal by accident."""
        return next(self._ids)

    def account(self, login: str, *, kind: AccountType | None = None) -> Account:
        """The account with this login; made on first sight, a bot if the login says so."""
        key = login.casefold()
        if key not in self.accounts:
            guessed: AccountType = "Bot" if login.endswith("[bot]") else "User"
            self.accounts[key] = Account(self.next_id(), login, kind or guessed)
        return self.accounts[key]

    def find_repository(self, full_name: str) -> Repository | None:
        """By its present or a former name."""
        found = self.names.get(full_name.casefold())
        return None if found is None else self.repositories.get(found)

    def repository(self, full_name: str) -> Repository:
        found = self.find_repository(full_name)
        if found is None:
            raise LookupError(f"the sandbox has no repository {full_name}")
        return found

    def issue(self, repository: Repository, number: int) -> Issue:
        found = repository.issues.get(number)
        if found is None:
            raise LookupError(f"{repository.full_name} has no issue #{number}")
        return found

    def repositories_of(self, installation: Installation) -> Iterator[Repository]:
        for repository in self.repositories.values():
            if covers(installation, repository):
                yield repository

    def installations_on(self, repository: Repository) -> Iterator[Installation]:
        for installation in self.installations.values():
            if covers(installation, repository):
                yield installation

    def user_token(self, login: str) -> str:
        """A personal token with which `login` may do whatever its role in a repository allows."""
        value = "ghp_" + secrets.token_hex(18)
        expires = self.now() + timedelta(days=3650)
        self.tokens[value] = Token(value, self.account(login), expires)
        return value


def covers(installation: Installation, repository: Repository) -> bool:
    if installation.account.id != repository.owner.id:
        return False
    return installation.repository_ids is None or repository.id in installation.repository_ids


def find_label(repository: Repository, name: str) -> Label | None:
    found = repository.label_ids.get(name.casefold())
    return None if found is None else repository.labels[found]


def current_labels(repository: Repository, issue: Issue) -> list[Label]:
    return [repository.labels[id_] for id_ in issue.labels if id_ in repository.labels]

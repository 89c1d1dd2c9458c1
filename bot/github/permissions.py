"""What a person may do in a repository, as GitHub says it now. Payloads are not asked: they are old, and
`author_association` knows no triage."""

from __future__ import annotations

from dataclasses import dataclass

from bot.github.addresses import in_repository
from bot.github.payloads import may
from bot.github.reads import Reader

MAY_TRIAGE = frozenset({"triage", "write", "maintain", "admin"})


@dataclass(frozen=True, slots=True)
class UserPermission:
    """What a user may do in a repository."""

    may_triage: bool


def read_permission(reader: Reader, full_name: str, login: str) -> UserPermission:
    """The role of a user. The old `permission` field is not read: it calls triage read.

    A role that an organisation made up says nothing by its name; there the permissions beside it count.
    """
    answer = reader.get(
        in_repository(full_name, "collaborators", login, "permission"),
        doing=f"read a user's role in {full_name}",
        permission="metadata: read",
        allow=(404,),
    )
    role = may(answer.body, "role_name", str, "none")
    granted = may(answer.body, "user.permissions.triage", bool, False)
    return UserPermission(may_triage=granted or role in MAY_TRIAGE)

"""The labels that a repository has, told apart by GitHub's id.

A rename carries everything known under the old name along; the old name is remembered, for
harvested events still bear it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.core.types import RepositoryLabel
from bot.store.tables import Label

_RENAMES = "WITH renames AS (SELECT * FROM unnest(:old ::text[], :new ::text[]) AS r(old, new))"
_OF_ISSUES = "IN (SELECT id FROM issues WHERE repository_id = :repository)"
# One statement per table, so that two labels may swap their names. Decisions take a step aside on the way,
# as a delivery decides on a name once: of a swap, and of a deleted label whose name another one takes, the
# rows would meet. The deleted label's decisions stay, and belong to no delivery any more.
_ASIDE = "chr(31) ||"
_CARRY = [
    text(
        f"{_RENAMES} UPDATE decisions t SET label = {_ASIDE} renames.new FROM renames"  # noqa: S608
        f" WHERE t.label = renames.old AND t.issue_id {_OF_ISSUES}"
    ),
    text(
        f"UPDATE decisions t SET delivery_id = NULL WHERE t.issue_id {_OF_ISSUES}"  # noqa: S608
        " AND t.label = ANY(:new ::text[]) AND EXISTS (SELECT FROM decisions taker"
        f" WHERE taker.issue_id = t.issue_id AND taker.label = {_ASIDE} t.label)"
    ),
    text(
        "UPDATE decisions t SET label = names.new"  # noqa: S608
        f" FROM unnest(:new ::text[]) AS names(new) WHERE t.label = {_ASIDE} names.new"
        f" AND t.issue_id {_OF_ISSUES}"
    ),
    *(
        text(
            f"{_RENAMES} UPDATE {table} t SET label = renames.new FROM renames"  # noqa: S608
            f" WHERE t.label = renames.old AND t.issue_id {_OF_ISSUES}"
        )
        for table in ("label_events", "effects")
    ),
    text(
        f"{_RENAMES} UPDATE issues SET labels = ARRAY("  # noqa: S608
        " SELECT coalesce(renames.new, name) FROM unnest(labels) AS name"
        " LEFT JOIN renames ON renames.old = name)"
        " WHERE repository_id = :repository AND labels && :old ::text[]"
    ),
]


def sync(session: Session, repository_id: int, labels: Sequence[RepositoryLabel]) -> None:
    """Make the stored labels those that GitHub lists; the others are marked deleted."""
    for label in labels:
        _save(session, repository_id, label)
    session.flush()
    _carry_renames(session, repository_id, {label.github_id: label.name for label in labels})
    session.execute(
        update(Label)
        .where(
            Label.repository_id == repository_id,
            Label.deleted_at.is_(None),
            Label.github_id.not_in([label.github_id for label in labels]),
        )
        .values(deleted_at=func.now())
    )


def save(session: Session, repository_id: int, label: RepositoryLabel) -> None:
    """Add one label, or bring one up to date, by GitHub's id."""
    _save(session, repository_id, label)
    _carry_renames(session, repository_id, {label.github_id: label.name})


def once_named(
    session: Session, repository_id: int, github_id: int, *, name: str, taken: bool
) -> None:
    """A label had this name for a while, whatever it is called now, if it is there at all: what was done
    under the name is the label's, unless another one bears it now (`taken`: on GitHub). One that we did
    not know counts as deleted until GitHub shows it."""
    values = {"repository_id": repository_id, "github_id": github_id, "name": name}
    unknown = insert(Label).values(**values, deleted_at=func.now())
    session.execute(unknown.on_conflict_do_nothing(index_elements=["repository_id", "github_id"]))
    row = session.scalars(
        select(Label).filter_by(repository_id=repository_id, github_id=github_id)
    ).one()
    if name == row.name:
        return
    if name not in row.former_names:
        row.former_names = [*row.former_names, name]
        session.flush()
    if not taken and name not in known_ids(session, repository_id):
        _carry(session, repository_id, [name], [row.name])


def active(session: Session, repository_id: int) -> list[RepositoryLabel]:
    """Labels that exist now, by name."""
    return [
        RepositoryLabel(
            github_id=row.github_id, name=row.name, description=row.description, color=row.color
        )
        for row in _active(session, repository_id)
    ]


def delete(session: Session, repository_id: int, github_id: int) -> None:
    session.execute(
        update(Label)
        .where(Label.repository_id == repository_id, Label.github_id == github_id)
        .values(deleted_at=func.now())
    )


def known_ids(session: Session, repository_id: int) -> dict[str, int]:
    """Name -> GitHub's id, of the labels that exist now."""
    return {row.name: row.github_id for row in _active(session, repository_id)}


def former_names(session: Session, repository_id: int) -> dict[str, str]:
    """Old name -> name now, but for names that another label has taken since."""
    rows = _active(session, repository_id)
    taken = {row.name for row in rows}
    return {former: row.name for row in rows for former in row.former_names if former not in taken}


def _active(session: Session, repository_id: int) -> list[Label]:
    statement = select(Label).where(
        Label.repository_id == repository_id, Label.deleted_at.is_(None)
    )
    return list(session.scalars(statement.order_by(Label.name)))


def _save(session: Session, repository_id: int, label: RepositoryLabel) -> None:
    """All but the name of a known label, which `_carry_renames` changes with all that hangs on it."""
    changing = {"description": label.description, "color": label.color, "deleted_at": None}
    statement = insert(Label).values(
        repository_id=repository_id, github_id=label.github_id, name=label.name, **changing
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["repository_id", "github_id"], set_=changing
        )
    )


def _carry_renames(session: Session, repository_id: int, names: Mapping[int, str]) -> None:
    """`names`: GitHub's id -> name now."""
    stored = session.scalars(
        select(Label)
        .where(Label.repository_id == repository_id, Label.github_id.in_(names))
        .execution_options(populate_existing=True)
    )
    changed = [row for row in stored if row.name != names[row.github_id]]
    if not changed:
        return
    old = [row.name for row in changed]
    new = [names[row.github_id] for row in changed]
    for row, name in zip(changed, new, strict=True):
        row.former_names = [*(f for f in row.former_names if f not in (row.name, name)), row.name]
        row.name = name
    session.flush()
    _carry(session, repository_id, old, new)


def _carry(session: Session, repository_id: int, old: Sequence[str], new: Sequence[str]) -> None:
    """What is stored under the old names stands under the new ones from now on."""
    for statement in _CARRY:
        session.execute(statement, {"repository": repository_id, "old": old, "new": new})
    session.expire_all()

"""`labelwright models list | show | rollback`: the versions of a repository's head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from bot.cli.terminal import console, find_repository, open_store, polite_errors, start
from bot.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.store.tables import Head, Refit, Repository

FullName = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository")]
Version = Annotated[int | None, typer.Option("--version", min=1, help="Which version")]


def list_versions(full_name: FullName) -> None:
    """List the versions of a repository's head: when, why, and what each expects of itself."""
    from bot.store import heads, refits

    with polite_errors(), open_store(start()) as database, database.session() as session:
        repository = find_repository(session, full_name)
        made = {r.head_after: r for r in refits.of_repository(session, repository.id)}
        kept = heads.kept(session, repository.id)
        table = Table("version", "serves", "when (UTC)", "what", "why", "precision", "covers")
        for head in heads.versions(session, repository.id):
            table.add_row(
                str(head.version),
                "yes" if head.id == repository.head_id else "" if head.version in kept else "gone",
                f"{head.created_at:%Y-%m-%d %H:%M:%S}",
                _kind(made.get(head.id)),
                escape(head.reason),
                _share(head.expectation.get("precision")),
                _share(head.expectation.get("coverage")),
            )
        console.print(table)
        _print_refusals(session, repository)


def show_version(full_name: FullName, version: Version = None) -> None:
    """Show one version, the one that serves unless told: cuts and mutes per label, and its refit."""
    from bot.store import refits

    with polite_errors(), open_store(start()) as database, database.session() as session:
        repository = find_repository(session, full_name)
        head = _version(session, repository, version)
        serves = " (serves)" if head.id == repository.head_id else ""
        console.print(
            f"{repository.full_name} version {head.version}{serves}, {head.created_at:%Y-%m-%d %H:%M:%S}"
            f" UTC: {head.reason}",
            markup=False,
            highlight=False,
        )
        console.print(f"bundle {head.bundle}, {head.backend}", markup=False, highlight=False)
        console.print(_labels(head.expectation))
        refit = refits.of_head(session, head.id)
        if refit is not None:
            _print_refit(refit)


def roll_back(full_name: FullName, version: Version = None) -> None:
    """Let an earlier version serve again, the one before unless told; it stays until somebody corrects
    it, or labels, rules or encoder change."""
    from bot.store import refits

    with polite_errors(), open_store(start()) as database, database.session() as session:
        head = refits.roll_back(session, find_repository(session, full_name), version)
        console.print(
            f"Version {head.version} serves {full_name} from the next issue on. It stays until"
            " somebody corrects it, or labels, rules or encoder change.",
            markup=False,
            highlight=False,
        )


def _version(session: Session, repository: Repository, version: int | None) -> Head:
    from bot.store import heads

    known = heads.versions(session, repository.id)
    for head in known:
        if head.version == version or (version is None and head.id == repository.head_id):
            return head
    listed = ", ".join(str(head.version) for head in reversed(known)) or "none"
    what = "no head that serves" if version is None else f"no version {version}"
    raise UserError(f"{repository.full_name} has {what}. Its versions: {listed}")


def _labels(expectation: dict[str, Any]) -> Table:
    table = Table(
        "label", "taught yes/no", "right", "wrong", "unknown", "applied from", "muted because"
    )
    for row in expectation.get("labels", ()):
        cut = row["apply_at"]
        table.add_row(
            escape(row["label"]),
            f"{row['positives']}/{row['negatives']}",
            str(row["right"]),
            str(row["wrong"]),
            str(row["unknown"]),
            "" if cut is None else f"{cut:.2f}",
            escape(row["why_muted"]) if cut is None else "",
        )
    return table


def _print_refit(refit: Refit) -> None:
    console.print(
        f"{_kind(refit)} in {refit.seconds:.1f} s: {refit.reason}", markup=False, highlight=False
    )
    for part, title in (("fresh", "just corrected"), ("past", "past corrections, unseen")):
        for kind, tally in refit.report.get(part, {}).items():
            console.print(
                f"  {title}, {kind}: right {tally['before']} before, {tally['after']} after,"
                f" of {tally['n']}",
                highlight=False,
            )


def _print_refusals(session: Session, repository: Repository) -> None:
    """The latest attempts that did not swap, and the pin, for they explain what serves."""
    from bot.store import refits

    pinned = refits.pinned(session, repository.id)
    if pinned is not None:
        console.print(f"Version {pinned.version} was rolled back to, and nobody taught it since.")
    refused = [r for r in refits.of_repository(session, repository.id) if not r.swapped]
    for refit in refused[:3]:
        when = f"{refit.created_at:%Y-%m-%d %H:%M:%S}"
        console.print(f"{when} refused: {refit.reason}", markup=False, highlight=False)


def _kind(refit: Refit | None) -> str:
    if refit is None:
        return "fit"
    if refit.kind == "labels":
        return f"refit of {len(refit.labels)} label{'s'[: len(refit.labels) != 1]}"
    return {"whole": "whole fit", "rollback": "rollback"}[refit.kind]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"

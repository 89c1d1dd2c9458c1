"""`labelwright status`: what was promised, what came of it, what is muted and why."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from bot.cli.terminal import console, find_repository, open_store, polite_errors, start

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def status(
    repository: Annotated[str, typer.Argument(help="owner/name, where the App is installed")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON line")] = False,
) -> None:
    """How the promise of a repository stands: precision promised, expected and realised, and corrections."""
    with polite_errors():
        settings = start()
        with open_store(settings) as database, database.session() as session:
            figures = _measured(session, repository, timedelta(days=settings.settling_days))
    if as_json:
        typer.echo(json.dumps(figures))
        return
    for line in lines(figures):
        console.print(escape(line), highlight=False, soft_wrap=True)
    if figures.get("labels"):
        console.print(table(figures))


def _measured(session: Session, name: str, settling: timedelta) -> dict[str, Any]:
    from bot.jobs.learning.standing import measure_standing
    from bot.store import standings

    row = find_repository(session, name)
    figures = measure_standing(session, row.id, settling=settling)
    standings.save(session, row.id, figures)
    return figures


def lines(figures: dict[str, Any]) -> list[str]:
    """The figures in words."""
    if figures["head"] is None:
        return [f"{figures['repository']}: nothing was learned yet"]
    expected = figures["expected"]
    return [
        f"{figures['repository']}: {figures['promised']:.0%} of applied labels are promised to be right",
        f"Expected from what it was taught: {_rate(expected['precision'])} right, "
        f"{_rate(expected['coverage'])} of issues covered",
        _realised(figures),
        _corrected(figures["corrections"]),
    ]


def _realised(figures: dict[str, Any]) -> str:
    found = figures["realised"]
    if found is None:
        off = "is off" if figures["silent_share"] == 0 else "has no settled issue yet"
        return (
            f"Realised: unknown, the silent share {off}; see the {figures['corrections']['says']}"
        )
    words = (
        f"Realised on {found['issues']} issues of the silent share: {_share(found['precision'])} right, "
        f"{_share(found['coverage'])} covered, {_share(found['label_recall'])} of human labels found"
    )
    return f"{words}; the promise is provably broken" if found["disproved"] else words


def _corrected(found: dict[str, Any]) -> str:
    name, _, meaning = found["says"].partition(", ")
    return f"{name.capitalize()} ({meaning}): {_share(found)} of {found['n']} labels that were set"


def _share(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "nothing seen"
    return f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


def _rate(value: float | None) -> str:
    return "nothing yet" if value is None else f"{value:.1%}"


def table(figures: dict[str, Any]) -> Table:
    found = Table(title="Label by label; right, wrong, unknown on the silent share")
    numbers = ("expected", "right", "wrong", "unknown", "set", "corrected")
    found.add_column("label")
    for name in numbers:
        found.add_column(name, justify="right")
    found.add_column("muted because")
    for row in figures["labels"]:
        cells = [_rate(row["expected"]) if row["expected"] is not None else "-"]
        cells += [str(row[name]) for name in numbers[1:]]
        found.add_row(escape(row["label"]), *cells, escape(row["muted"]))
    return found

"""`labelwright-train snapshot`: cut an immutable data set from the store or from files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bot.cli.terminal import console, open_store, polite_errors, start

if TYPE_CHECKING:
    from training.snapshot.cut import CutSettings
    from training.snapshot.read import Snapshot


def snapshot(
    out: Annotated[Path, typer.Option(help="Directory of the snapshot")],
    issues: Annotated[
        list[Path] | None,
        typer.Option(help="File of issues, may be given again; the store's if unset"),
    ] = None,
    after: Annotated[
        list[Path] | None,
        typer.Option(
            help="Snapshot of an earlier run, may be given again: what evaluates is newer"
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.05, max=0.6, help="Share of the newest issues that evaluates")
    ] = 0.3,
) -> None:
    """Cut a snapshot: training, evaluation and unlabelled issues, hashed, with their provenance."""
    with polite_errors(), console.status("Cutting the snapshot"):
        from training.snapshot.cut import CutSettings, cut_files, seen_until

        settings = CutSettings(share=share, used=seen_until(after or []))
        cut = cut_files(issues, out, settings=settings) if issues else _from_store(out, settings)
    _show(cut)


def _from_store(out: Path, settings: CutSettings) -> Snapshot:
    from training.snapshot.cut import cut_store

    house = start()
    with open_store(house) as database, database.session() as session:
        return cut_store(
            session, out, settling=timedelta(days=house.settling_days), settings=settings
        )


def _show(cut: Snapshot) -> None:
    table = Table(title=f"snapshot {cut.id} at {cut.directory}")
    table.add_column("")
    for column in ("train", "evaluate", "unlabelled", "labels", "evaluates from"):
        table.add_column(column, justify="right")
    for data in cut.repositories:
        counts, window = data.facts.counts, data.facts.window
        since = str(window.first.date() if window.first else "by order") if window else "-"
        cells = [str(counts.get(part, 0)) for part in ("train", "evaluate", "unlabelled")]
        table.add_row(data.name, *cells, str(len(data.specs)), since)
    console.print(table)
    for reason, count in cut.manifest.left_out.items():
        console.print(f"left out: {count} {reason}", highlight=False)

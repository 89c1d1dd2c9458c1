"""`labelwright models bundles | promote | demote`: which bundle serves, the next one, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from bot.cli.terminal import console, open_store, polite_errors, start

Directory = Annotated[
    Path, typer.Argument(metavar="BUNDLE_DIR", help="What `models build` or a retraining wrote")
]
Why = Annotated[str, typer.Option("--why", help="For the record")]


def list_bundles() -> None:
    """List the bundles: which serves where, which takes over, which were replaced or taken back, and why."""
    from bot.store import bundles

    with polite_errors():
        settings = start()
        with open_store(settings) as database, database.session() as session:
            rows = bundles.newest(session)
            serves = {one.bundle: one.repositories for one in bundles.serving(session)}
    if not rows:
        console.print(f"None was ever promoted; {settings.bundle_dir} serves.", highlight=False)
        return
    table = Table(
        "bundle", "name", "state", "repositories", "since (UTC)", "run", "what came of it"
    )
    for row in rows:
        table.add_row(
            row.id,
            escape(row.name),
            row.state,
            str(serves.get(row.id, 0)),
            f"{row.promoted_at:%Y-%m-%d %H:%M}" if row.promoted_at else "",
            str(row.run_id or ""),
            escape(row.outcome),
        )
    console.print(table)


def promote(bundle_dir: Directory) -> None:
    """Let a bundle take over: copied whole, then repository by repository in the background."""
    from bot.jobs.rollout.promotion import promote

    with polite_errors():
        settings = start()
        with open_store(settings) as database:
            said = promote(
                database,
                bundle_dir,
                bundles_dir=settings.bundles_dir,
                configured=settings.bundle_dir,
            )
    console.print(said, markup=False, highlight=False)


def demote(why: Why = "taken back by hand") -> None:
    """Take the newest bundle back: every repository is served by the one before from the next issue on."""
    from bot.jobs.rollout.demotion import demote

    with polite_errors(), open_store(start()) as database:
        console.print(demote(database, why=why), markup=False, highlight=False)

"""`labelwright-train search`: look for a better recipe on a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.terminal import console, errors, polite_errors
from training.cli.terminal import need_training_extra

if TYPE_CHECKING:
    from training.search.ledger import Row


def search(
    snapshot: Annotated[Path, typer.Option(help="Directory of the snapshot")],
    out: Annotated[Path, typer.Option(help="Directory of the search; one that stopped goes on")],
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe file to start from; `retrain` if unset")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, earlier calls included")] = 30,
    hours: Annotated[
        float | None, typer.Option(min=0.0, help="No trial begins later than that in this call")
    ] = None,
    vary: Annotated[
        str, typer.Option(help="What to turn, separated by commas; the usual if unset")
    ] = "",
) -> None:
    """Look for a better recipe; judged on the newest of the issues to train on, never on those that evaluate."""
    with polite_errors():
        need_training_extra()
        from training.recipe import RECIPES
        from training.recipe_file import BASE, read_recipe
        from training.search.study import Quest
        from training.search.study import search as look

        quest = Quest(
            recipe=RECIPES[BASE] if recipe is None else read_recipe(recipe),
            snapshot=snapshot,
            out=out,
            trials=trials,
            hours=hours,
            vary=[name.strip() for name in vary.split(",") if name.strip()],
        )
        with errors.status("searching") as status:

            def tell(row: Row) -> None:
                told = f"{row.value:.4f}" if row.value is not None else row.failed or row.state
                errors.print(
                    f"trial {row.number}: {told}, {row.seconds:.0f} s",
                    highlight=False,
                    markup=False,
                )
                status.update(f"searching, {row.number + 1} of {trials} done")

            rows = look(quest, on_trial=tell)
        _show(rows, out)


def _show(rows: list[Row], out: Path) -> None:
    from training.search.ledger import BEST, CAUTION, best_of

    best = best_of(rows)
    if best is None or best.value is None:
        console.print("No trial was begun; give more --hours.")
        return
    given = rows[0].state if rows[0].value is None else f"{rows[0].value:.4f}"
    console.print(
        f"best: trial {best.number} with {best.value:.4f} (as given: {given}); its recipe is "
        f"{out / BEST}. {CAUTION}",
        highlight=False,
    )

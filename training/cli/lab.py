"""`labelwright-train lab`: which semi-supervised method helps, with how few labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from training.cli.terminal import need_training_extra


def lab(
    train: Annotated[Path, typer.Option(help="File of issues; most labels are hidden")],
    test: Annotated[Path, typer.Option(help="File of labelled issues to test on")],
    out: Annotated[
        Path, typer.Option(help="Results, a JSON line each; what is there is not run again")
    ],
    methods: Annotated[
        str, typer.Option(help="Methods, separated by commas")
    ] = "supervised,ust,uda,cap",
    shots: Annotated[str, typer.Option(help="Labelled issues per label")] = "8,16,32,64",
    seeds: Annotated[int, typer.Option(min=1, help="Draws of labelled issues")] = 3,
    recipe: Annotated[Path | None, typer.Option(help="Recipe file; `fast` if unset")] = None,
    encoder: Annotated[Path | None, typer.Option(help="Directory of another encoder")] = None,
) -> None:
    """Compare semi-supervised methods with their supervised twin on the same few labels."""
    with polite_errors():
        need_training_extra()
        from training.lab.comparison import Trial, method_recipe
        from training.lab.series import open_bench, run_series, summary, trials
        from training.recipe import recipe_named
        from training.recipe_file import read_recipe

        chosen = recipe_named("fast") if recipe is None else read_recipe(recipe)
        names = [name.strip() for name in methods.split(",") if name.strip()]
        if not names:
            raise UserError(f"--methods {methods}: name one at least.")
        for name in names:
            method_recipe(chosen, name)
        bench = open_bench(train, test, recipe=chosen, base=encoder)
        asked = trials(names, _numbers(shots), seeds)
        with errors.status("comparing") as status:

            def before(trial: Trial) -> None:
                status.update(f"{trial.method}, {trial.shots} shots, seed {trial.seed}")

            rows = run_series(bench, asked, out, before=before)
        _show(summary(rows))


def _numbers(words: str) -> list[int]:
    try:
        numbers = [int(word) for word in words.split(",")]
    except ValueError:
        raise UserError(f"--shots {words}: give whole numbers, separated by commas.") from None
    if min(numbers) < 1:
        raise UserError(f"--shots {words}: each label needs an issue at least.")
    return numbers


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="mean (standard deviation) over draws")
    for column in ("shots", "method", "macro F1", "micro F1", "average precision", "seconds"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in rows:
        cells = [
            f"{row[name][0]:.3f} ({row[name][1]:.3f})"
            for name in ("macro", "micro", "average_precision")
        ]
        table.add_row(str(row["shots"]), row["method"], *cells, f"{row['seconds'][0]:.0f}")
    console.print(table)

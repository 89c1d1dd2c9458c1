"""`labelwright-train score`: train on one file, test on another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bot.errors import UserError
from training.cli.terminal import console, errors, need_training_extra, polite_errors, write_json


def score(
    train: Annotated[Path, typer.Option(help="File of labelled issues to train on")],
    test: Annotated[Path, typer.Option(help="File of labelled issues to test on")],
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Where to write all figures")
    ] = None,
    by_repo: Annotated[bool, typer.Option("--by-repo", help="One model per repository")] = False,
    labels: Annotated[str, typer.Option(help="Labels to learn, separated by commas")] = "",
    min_count: Annotated[
        int | None, typer.Option(min=1, help="Learn labels as frequent as this")
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="How to train: standard, separate, fast, setfit")
    ] = "standard",
    shots: Annotated[
        int | None, typer.Option(min=1, help="Train on so many issues per label")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with so many seeds")] = 1,
    target: Annotated[float, typer.Option(min=0.5, max=0.999, help="Precision to keep")] = 0.9,
    encoder: Annotated[Path | None, typer.Option(help="Directory of another encoder")] = None,
) -> None:
    """Train on one file, test on another, print how good the labels were."""
    with polite_errors(), _progress() as progress:
        need_training_extra()
        if labels and min_count is not None:
            raise UserError("--labels and --min-count both choose the labels: give one of them.")
        if json_out is not None and not json_out.absolute().parent.is_dir():
            raise UserError(
                f"{json_out}: there is no such folder. Make it, or give another --json."
            )
        from training.recipe import recipe_named
        from training.score import Question, score_files

        question = Question(
            train=train,
            test=test,
            recipe=recipe_named(recipe),
            by_repo=by_repo,
            labels=tuple(name.strip() for name in labels.split(",") if name.strip()),
            min_count=min_count,
            shots=shots,
            seeds=seeds,
            target=target,
            base=encoder,
        )
        answer = score_files(question, on_progress=_follow(progress))
        if json_out is not None:
            write_json(json_out, answer)
    _show(answer)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
    )


def _follow(progress: Progress) -> Any:
    """A bar that starts anew with each part of the work."""
    bar = progress.add_task("reading", total=None, loss=0.0, visible=False)

    def on_progress(what: str, done: int, total: int, loss: float) -> None:
        if done == 1:
            progress.reset(bar, total=total, visible=True, description=what)
        progress.update(bar, completed=done, total=total, loss=loss)

    return on_progress


def _show(answer: dict[str, Any]) -> None:
    asked = answer["question"]
    table = Table(
        title=f"{asked['kind']}, {len(asked['labels'])} labels, {asked['train_issues']} issues to "
        f"train, {asked['test_issues']} to test, recipe {answer['recipe']['name']}"
    )
    target = f"{asked['target']:g}"
    columns = (
        "",
        "micro F1",
        "macro F1",
        f"precision @{target}",
        "coverage",
        "coverage, hindsight",
    )
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    for name, figures in answer["repositories"].items():
        table.add_row(name, *_row(figures))
    if len(answer["repositories"]) > 1:
        table.add_section()
        table.add_row("mean", *_row(answer["overall"]))
    console.print(table)
    seconds = sum(run["train_seconds"] for run in answer["runs"]) / len(answer["runs"])
    console.print(
        f"trained in {seconds:.0f} s on {answer['machine']['device']}, mean of {asked['seeds']}"
    )


def _row(figures: dict[str, Any]) -> list[str]:
    promise = figures["promise"]
    cells = (
        figures["f1"]["micro"],
        figures["f1"]["macro"],
        promise.get("precision"),
        promise["coverage"],
        figures["hindsight_coverage"],
    )
    return ["-" if cell is None else f"{cell:.3f}" for cell in cells]

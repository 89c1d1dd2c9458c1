"""`labelwright-train score`: train on one file, test on another."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from training.cli.progress import follow
from training.cli.terminal import need_training_extra, write_json

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.scoring.score import Question

Train = Annotated[Path, typer.Option(help="File of labelled issues to train on")]
Test = Annotated[Path, typer.Option(help="File of labelled issues to test on")]
Json = Annotated[Path | None, typer.Option("--json", help="Where to write all figures")]
ByRepo = Annotated[
    bool, typer.Option("--by-repo", help="Figures of each repository, and their mean")
]
Labels = Annotated[
    str, typer.Option(help='Labels to learn, separated by commas: A,B,"C, with one"')
]
MinCount = Annotated[int | None, typer.Option(min=1, help="Learn labels as frequent as this")]
RecipeName = Annotated[
    str, typer.Option(help="How to train: standard, separate, fast, setfit, or a recipe file")
]
Shots = Annotated[int | None, typer.Option(min=1, help="Train on so many issues per label")]
Seeds = Annotated[int, typer.Option(min=1, help="Repeat with so many seeds")]
Target = Annotated[float, typer.Option(min=0.5, max=0.999, help="Precision to keep")]
EncoderDirectory = Annotated[Path | None, typer.Option(help="Directory of another encoder")]


LOG_WIDTH = 160
"""Columns of the table where no terminal has a say: names and headings are not cut."""
LEFT_OUT = "not exactly one of the learned labels, or (--by-repo) a repository not trained on"


def score(
    train: Train,
    test: Test,
    json_out: Json = None,
    by_repo: ByRepo = False,
    labels: Labels = "",
    min_count: MinCount = None,
    recipe: RecipeName = "standard",
    shots: Shots = None,
    seeds: Seeds = 1,
    target: Target = 0.9,
    encoder: EncoderDirectory = None,
) -> None:
    """Train on one file, test on another, print how good the labels were."""
    with polite_errors():
        need_training_extra()
        names = _names(labels)
        _check(names, min_count, json_out, read=(train, test))
        from training.scoring.score import Question

        question = Question(
            train=train,
            test=test,
            recipe=_recipe(recipe),
            by_repo=by_repo,
            labels=names,
            min_count=min_count,
            shots=shots,
            seeds=seeds,
            target=target,
            base=encoder,
        )
        answer = _ask(question, json_out)
    _show(answer)


def _names(labels: str) -> tuple[str, ...]:
    """Separated by commas or line breaks; one that has a comma stands in double quotes."""
    read = csv.reader(labels.splitlines(), skipinitialspace=True)
    return tuple(name.strip() for row in read for name in row if name.strip())


def _check(
    labels: tuple[str, ...], min_count: int | None, json_out: Path | None, *, read: tuple[Path, ...]
) -> None:
    if labels and min_count is not None:
        raise UserError("--labels and --min-count both choose the labels: give one of them.")
    if json_out is not None and not json_out.absolute().parent.is_dir():
        raise UserError(f"{json_out}: there is no such folder. Make it, or give another --json.")
    if json_out is not None and json_out.resolve() in [path.resolve() for path in read]:
        raise UserError(f"{json_out} holds the issues. Give another --json.")


def _recipe(name: str) -> Recipe:
    from training.recipe import recipe_named
    from training.recipe_file import SUFFIXES, read_recipe

    path = Path(name)
    if path.suffix not in SUFFIXES:
        return recipe_named(name)
    found = read_recipe(path)
    if found.terms or found.adapt != "none" or found.encoder:
        raise UserError(
            f"{path}: score learns from labels alone. Leave terms, adapt and encoder to a fit "
            "(--encoder names another encoder)."
        )
    return found


def _ask(question: Question, json_out: Path | None) -> dict[str, Any]:
    from training.scoring.score import score_files

    with follow(errors) as on_progress:
        answer = score_files(question, on_progress=on_progress)
    if json_out is not None:
        write_json(json_out, answer)
    return answer


def _show(answer: dict[str, Any]) -> None:
    asked, runs = answer["question"], answer["runs"]
    trained = sum(run["train_issues"] for run in runs) / len(runs)
    table = Table(
        title=f"{asked['kind']}, {len(asked['labels'])} labels, {trained:.0f} issues to "
        f"train, {asked['test_issues']} to test, recipe {answer['recipe']['name']}"
    )
    for column in _columns(asked):
        table.add_column(column, justify="left" if not column else "right")
    for name, figures in answer["repositories"].items():
        table.add_row(escape(name), *_row(figures))
    if len(answer["repositories"]) > 1:
        table.add_section()
        table.add_row("mean", *_row(answer["overall"]))
    (console if console.is_terminal else Console(width=LOG_WIDTH)).print(table)
    for note in _notes(answer):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _columns(asked: dict[str, Any]) -> list[str]:
    columns = ["", "micro F1", "macro F1"]
    if asked["kind"] == "multi-label":
        columns += ["micro F1, unset = no", "macro F1, unset = no"]
    return [*columns, f"precision @{asked['target']:g}", "coverage", "coverage, hindsight"]


def _row(figures: dict[str, Any]) -> list[str]:
    promise, closed = figures["promise"], figures.get("f1_closed_world")
    cells = [
        figures["f1"]["micro"],
        figures["f1"]["macro"],
        *((closed["micro"], closed["macro"]) if closed else ()),
        promise.get("precision"),
        promise["coverage"],
        figures["hindsight_coverage"],
    ]
    return ["-" if cell is None else f"{cell:.3f}" for cell in cells]


def _notes(answer: dict[str, Any]) -> list[str]:
    """What the figures don't say by themselves."""
    asked, runs = answer["question"], answer["runs"]
    seconds = sum(run["train_seconds"] for run in runs) / len(runs)
    notes = [f"trained in {seconds:.0f} s on {answer['machine']['device']}, mean of {len(runs)}"]
    unsure = sum(not run["overall"]["cuts"] for run in runs)
    if not answer["recipe"]["held_out_parts"]:
        notes.append(
            f"The recipe {answer['recipe']['name']} shows no issue unseen: no cut is chosen, and nothing "
            "would be applied."
        )
    elif unsure:
        notes.append(
            f"In {unsure} of {len(runs)} runs the training issues do not show that any cut keeps a "
            f"precision of {asked['target']:g}: nothing would be applied."
        )
    left_out = sorted({name for run in runs for name in run["repositories_left_out"]})
    if left_out:
        notes.append(f"No test issue carries a learned label: {', '.join(left_out)}")
    if asked["test_issues_learned"]:
        notes.append(
            f"{asked['test_issues_learned']} test issues read like one of the training file: memory answers "
            "them."
        )
    if asked["test_issues_elsewhere"]:
        notes.append(
            f"{asked['test_issues_elsewhere']} test issues are of repositories that were not trained on: no "
            "precision is promised there."
        )
    if asked["test_issues_left_out"]:
        notes.append(f"{asked['test_issues_left_out']} test issues left out: {LEFT_OUT}")
    return notes

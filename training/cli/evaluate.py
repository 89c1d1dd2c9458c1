"""`labelwright-train export` and `evaluate`: from a fit to a bundle, from two bundles to a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bot.classify.bundle import MODELS, Backend, read_bundle
from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from training.cli.progress import told_lines
from training.cli.terminal import need_training_extra

OnProgress = Callable[[str, int, int], None]


def evaluate(
    snapshot: Annotated[Path, typer.Option(help="Directory of the snapshot")],
    champion: Annotated[Path, typer.Option(help="Bundle that serves")],
    challenger: Annotated[Path, typer.Option(help="Bundle that wants to")],
    out: Annotated[Path, typer.Option(help="Directory of the report")],
    run: Annotated[str, typer.Option(help="Name of this run, for the record")] = "by hand",
    past: Annotated[
        list[Path] | None,
        typer.Option(help="verdict.json of an earlier run, may be given again: alpha is spent"),
    ] = None,
    fit: Annotated[Path | None, typer.Option(help="Output of the fit, for the model card")] = None,
    twin: Annotated[
        Path | None,
        typer.Option(help="Bundle of the challenger's supervised twin (`export --fit FIT/twin`)"),
    ] = None,
    backend: Annotated[str, typer.Option(help="Vectors that serve: int8 or fp32")] = "int8",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoder")] = 1,
) -> None:
    """Measure two bundles on a snapshot, through the serving path, and say whether to promote."""
    with polite_errors(), _progress() as on_progress:
        from training.judge.card import model_card, spent_on
        from training.judge.evaluate import evaluate as measure
        from training.judge.gate import judge, past_run
        from training.judge.report import write_report
        from training.snapshot.read import read_snapshot

        earlier = [past_run(_json(path)) for path in past or []]
        evaluation = measure(
            read_snapshot(snapshot),
            champion,
            challenger,
            twin=twin,
            backend=_backend(backend),
            threads=threads,
            on_progress=on_progress,
        )
        case = evaluation.case(run)
        verdict = judge(case, earlier)
        card = model_card(
            evaluation,
            verdict,
            read_bundle(challenger).manifest,
            recipe=_json(fit / "recipe.json") if fit else {},
            spent=spent_on(
                _json(fit / "done.json") if fit else {}, cpu_seconds=evaluation.cpu_seconds
            ),
        )
        write_report(out, evaluation, case, verdict, card=card)
    for reason in verdict.reasons:
        console.print(reason, markup=False, highlight=False, soft_wrap=True)
    console.print(f"report at {out / 'report.html'}", highlight=False, soft_wrap=True)


def export(
    fit: Annotated[Path, typer.Option(help="Output of a fit, done")],
    out: Annotated[Path, typer.Option(help="Directory of the bundle")],
) -> None:
    """Build the bundle of a fitted encoder; refused unless its graphs say what torch says."""
    with polite_errors(), console.status("Exporting"):
        need_training_extra()
        from training.export import export_fit

        bundle, parity = export_fit(fit, out, _json(fit / "done.json"))
    told = ", ".join(f"{one.backend} {one.worst:.5f}" for one in parity)
    console.print(
        f"{bundle.manifest.bundle_id} at {out}; worst cosine to torch: {told}",
        highlight=False,
        soft_wrap=True,
    )


def _backend(name: str) -> Backend:
    if name not in MODELS:
        raise UserError(f"--backend {name}: there is {' and '.join(MODELS)}")
    return "int8" if name == "int8" else "fp32"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object")
    return found


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Called with (what is being done, issues done, issues in all): a bar, or lines for a log."""
    if not errors.is_terminal:
        tell = told_lines(errors)
        yield lambda what, done, total: tell({what: f"{done} of {total}"})
        return
    with _bars() as progress:
        bar = progress.add_task("reading", total=None)
        yield lambda what, done, total: progress.update(
            bar, description=what, completed=done, total=total
        )


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
    )

"""`labelwright-train import-setfit`, `export-setfit` and `predict`: SetFit models in, out, and asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.terminal import console, errors, polite_errors
from training.cli.terminal import need_training_extra


def import_setfit(
    directory: Annotated[Path, typer.Argument(help="What SetFitModel.save_pretrained wrote")],
    out: Annotated[Path, typer.Option(help="Directory of the bundle")],
    max_tokens: Annotated[
        int | None, typer.Option(min=4, help="Cut texts there; where the model does, if unset")
    ] = None,
) -> None:
    """Make a bundle of a SetFit model, its head beside it; nothing of its pickle is run or kept."""
    with polite_errors(), errors.status("Importing"):
        need_training_extra()
        from training.interchange.directory import import_setfit as bring

        imported, parity = bring(directory, out, max_tokens=max_tokens)
    told = ", ".join(f"{one.backend} {one.worst:.5f}" for one in parity)
    manifest = imported.bundle.manifest
    console.print(f"{manifest.bundle_id} at {out}; worst cosine to torch: {told}", highlight=False)
    names = ", ".join(imported.head.names)
    console.print(f"head of {len(imported.head.classes)} labels: {names}", markup=False)


def export_setfit(
    bundle: Annotated[Path, typer.Argument(help="A bundle that import-setfit made")],
    out: Annotated[Path, typer.Option(help="Directory for SetFit, new or empty")],
) -> None:
    """Write an imported model for SetFitModel.from_pretrained; its head is a pickle there, as SetFit asks."""
    with polite_errors(), errors.status("Exporting"):
        need_training_extra()
        from training.interchange.directory import export_setfit as give

        give(bundle, out)
    console.print(f"SetFit model at {out}", highlight=False)


def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle that import-setfit made")],
    issues: Annotated[Path, typer.Option(help="File of issues")],
) -> None:
    """Print what an imported head says of issues, a JSON line each."""
    with polite_errors():
        from bot.core.text import issue_text
        from bot.issues_file import read_issues
        from training.interchange.imported import read_imported

        imported, asked = read_imported(bundle), read_issues(issues, as_listed=True)
        texts = [issue_text(issue.title, issue.body).joined for issue in asked]
        vectors = imported.vectors(texts)
        found = imported.head.probabilities(vectors)
        decided = imported.head.decide(vectors)
        for issue, row, labels in zip(asked, found, decided, strict=True):
            told = {
                name: round(float(p), 4) for name, p in zip(imported.head.names, row, strict=True)
            }
            line = {
                "repo": issue.repo,
                "number": issue.number,
                "labels": labels,
                "probabilities": told,
            }
            typer.echo(json.dumps(line, ensure_ascii=False))

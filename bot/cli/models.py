"""`labelwright models`: the bundles that serve, and the versions of each repository's head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli import bundles, versions
from bot.cli.terminal import console, polite_errors
from bot.settings import load_settings

models = typer.Typer(help="The bundles and heads that serve.", no_args_is_help=True)

models.command("list")(versions.list_versions)
models.command("show")(versions.show_version)
models.command("rollback")(versions.roll_back)
models.command("bundles")(bundles.list_bundles)
models.command("promote")(bundles.promote)
models.command("demote")(bundles.demote)


@models.command("build")
def build(
    source: Annotated[
        str | None,
        typer.Option(help="A sentence-transformers model: directory or hub id; MiniLM if unset"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the bundle")] = None,
) -> None:
    """Build the bundle that serves (ONNX fp32 and int8, tokenizer, golden vectors), without torch."""
    from bot.classify.build import build_bundle
    from bot.classify.weights import find_base_weights

    with polite_errors():
        target = out or load_settings().bundle_dir
        with console.status("Building the bundle"):
            bundle = build_bundle(source or find_base_weights(), target)
        console.print(
            f"Built {bundle.manifest.name} at {target}; where a bundle was promoted before,"
            f" `labelwright models promote {target}` lets this one take over",
            highlight=False,
            soft_wrap=True,
        )

"""The commands of `labelwright`. Parse words and show results; the work is done elsewhere."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from bot import __version__
from bot.cli import demo, models, preview, processes, setup, status
from bot.cli.terminal import console

app = typer.Typer(
    help="Labels new issues as their maintainers would.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold secrets
)


def _terminated(*_: object) -> None:
    """SIGTERM unwinds the stack, so that children and the embedded server are stopped."""
    raise SystemExit(128 + signal.SIGTERM)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version")] = False,
) -> None:
    signal.signal(signal.SIGTERM, _terminated)
    if version:
        console.print(f"labelwright {__version__}")
        raise typer.Exit


app.command()(demo.demo)
app.command()(demo.replay)
app.command()(preview.preview)
app.command()(setup.register)
app.command()(processes.up)
app.command()(processes.serve)
app.command()(processes.worker)
app.command()(processes.schedule)
app.command()(setup.migrate)
app.command()(setup.doctor)
app.command()(setup.backfill)
app.command()(status.status)
app.add_typer(models.models, name="models")

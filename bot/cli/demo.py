"""`labelwright demo` and `replay`: the whole product on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bot.cli.terminal import console, errors, polite_errors
from bot.settings import load_settings

if TYPE_CHECKING:
    from bot.demo.summary import Summary

JSON_OPTION = typer.Option("--json", help="Print the summary as one JSON line")
NOTHING_APPLIED_EXIT = 3


def demo(
    as_json: Annotated[bool, JSON_OPTION] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything up until Ctrl-C")] = False,
) -> None:
    """Install the App on a sample repository and watch new issues get their labels, all on this machine."""
    from bot.demo import play, scenario

    with polite_errors():
        scenarios = [scenario.sample_scenario()]
        _finish(
            play.play_all(
                scenarios, load_settings(), _stage(as_json=as_json), corrected=True, stay=stay
            ),
            as_json=as_json,
        )


def replay(
    file: Annotated[Path, typer.Argument(help="Issues as JSON Lines, gzipped or not")],
    repo: Annotated[str | None, typer.Option(help="Only this repository, owner/name")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """The same with anyone's issues: the first 70% by time is history, the rest arrives as webhooks."""
    from bot.demo import play, scenario

    with polite_errors():
        scenarios = scenario.file_scenarios(file, repo=repo)
        _finish(play.play_all(scenarios, load_settings(), _stage(as_json=as_json)), as_json=as_json)


def _stage(*, as_json: bool) -> Console:
    """Where people watch: standard output belongs to the JSON line where one was asked for."""
    return errors if as_json else console


def _finish(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary.as_dict()))
    if not summary.applied:
        errors.print("error: nothing was applied", style="bold red")
        raise typer.Exit(NOTHING_APPLIED_EXIT)

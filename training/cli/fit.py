"""`labelwright-train fit` and `agent`: where a run is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from training.cli.progress import watch
from training.cli.terminal import need_training_extra

NEEDED = {
    "snapshot": "labelwright-train snapshot --out {0}/snapshot cuts one",
    "recipe.json": "it holds the recipe, and {{}} is `retrain` as it is (docs/fit.md)",
}
"""What a run is made of, and where it comes from."""
RANKS = typer.Option(min=0, help="Processes; 0: one per GPU, or one where there is none")


def fit(
    directory: Annotated[Path, typer.Argument(help="A run: snapshot/ and recipe.json")],
    ranks: Annotated[int, RANKS] = 0,
) -> None:
    """Fit a run on this machine under torchrun; it goes on where it stopped, and ends at once if done."""
    with polite_errors():
        need_training_extra()
        from training.launch import Work
        from training.launch.local import Local

        for needed, how in NEEDED.items():
            if not (directory / needed).exists():
                raise UserError(f"{directory / needed} is missing: {how.format(directory)}.")
        errors.print(f"{directory / 'fit.log'} tells all", highlight=False, soft_wrap=True)
        with watch(
            errors, hint="The same command goes on from the last checkpoint."
        ) as on_progress:
            Local(ranks).fit(Work(directory), on_progress=on_progress)
        console.print(
            f"Fitted: {directory / 'fit'}; next: labelwright-train export --fit {directory / 'fit'} "
            f"--out {directory / 'bundle'}",
            highlight=False,
            soft_wrap=True,
        )


def agent(
    server: Annotated[str, typer.Option(help="Address of the receiver, https://...")],
    token_file: Annotated[Path, typer.Option(help="File with a token of LABELWRIGHT_AGENT_TOKENS")],
    directory: Annotated[Path, typer.Option(help="Where runs are fitted")] = Path("runs"),
    ranks: Annotated[int, RANKS] = 0,
    once: Annotated[bool, typer.Option("--once", help="End when no run waits")] = False,
) -> None:
    """Fit runs for a server: pulls them, brings models back; needs no open port and no GitHub key."""
    with polite_errors():
        need_training_extra()
        import httpx

        from training.agent import Server, work_on, work_once
        from training.launch.local import Local

        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UserError(f"{token_file}: cannot be read ({error.strerror}).") from None
        if not server.startswith("https://") and not _loopback(server):
            raise UserError(f"{server}: the token would cross the network in clear; use https://.")
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{directory}: no run can be kept there ({error.strerror}).") from None
        client = Server(server, token)
        try:
            if once:
                while work_once(client, Local(ranks), directory):
                    pass
            else:
                work_on(client, Local(ranks), directory)
        except httpx.HTTPError as error:
            raise UserError(f"{server} is out of reach: {error}") from None
        finally:
            client.close()


def _loopback(server: str) -> bool:
    address = urlsplit(server)
    return address.scheme == "http" and address.hostname in {"127.0.0.1", "localhost", "::1"}

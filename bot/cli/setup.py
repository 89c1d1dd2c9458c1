"""`labelwright register`, `migrate`, `doctor`, `backfill`: what an operator does once, or by hand."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from bot.cli.terminal import console, open_store, polite_errors, start
from bot.settings import load_settings


def register(
    webhook_url: Annotated[
        str, typer.Option(help="Where GitHub reaches the receiver, https://.../webhook")
    ],
    organization: Annotated[
        str | None, typer.Option(help="Owner of the App; yourself if unset")
    ] = None,
    web_url: Annotated[
        str, typer.Option(help="GitHub as your browser sees it")
    ] = "https://github.com",
    port: Annotated[int, typer.Option(help="Port of the page on this machine")] = 8712,
) -> None:
    """Make the App on GitHub by one click and keep its credentials here."""
    from bot.register import register as register_app

    with polite_errors():
        settings = load_settings()
        registered = register_app(
            webhook_url=webhook_url,
            api_url=settings.github_api_url,
            web_url=web_url,
            organization=organization,
            data_dir=settings.data_dir,
            port=port,
            say=console.print,
        )
        console.print(f"Credentials are in {registered.env_file}", highlight=False)
        console.print(f"Install the App: {registered.install_url}", highlight=False)


def migrate() -> None:
    """Bring the database to this version's tables."""
    with polite_errors(), open_store(start()):
        console.print("The database is up to date.")


def doctor() -> None:
    """Check settings, database, bundle and GitHub; say what to do about what is wrong."""
    from bot.doctor import examine

    with polite_errors():
        findings = examine(load_settings())
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[bold red]fix[/] "
        console.print(f"{mark}{finding.what}: {escape(finding.says)}", highlight=False)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def backfill(
    repository: Annotated[str, typer.Argument(help="owner/name, where the App is installed")],
) -> None:
    """Read a repository's labels and history and learn from it, here and now."""
    from bot.jobs.context import open_context
    from bot.jobs.learning.backfill import backfill_now

    with polite_errors():
        settings = start()
        with open_store(settings) as database:
            backfill_now(open_context(settings, database), repository, say=console.print)

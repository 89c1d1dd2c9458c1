"""The commands of `labelwright`. Parses words and shows results; the work is done elsewhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bot import __version__
from bot.errors import LabelwrightError, UserError
from bot.log import configure_logging
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from bot.demo.summary import Summary
    from bot.store.engine import Database

app = typer.Typer(
    help="Labels new issues as their maintainers would.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold secrets
)
models = typer.Typer(help="The bundles that serve.", no_args_is_help=True)
app.add_typer(models, name="models")

console = Console()
errors = Console(stderr=True)

JSON_OPTION = typer.Option("--json", help="Print the summary as one JSON line")
USER_ERROR_EXIT = 2
NOTHING_APPLIED_EXIT = 3


@contextmanager
def _polite_errors() -> Iterator[None]:
    """Errors that we raise on purpose are one line for a person, not a trace."""
    try:
        yield
    except LabelwrightError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(USER_ERROR_EXIT) from None


def _start() -> Settings:
    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, brought to this version's tables, closed in the end."""
    from bot.store.engine import open_database
    from bot.store.migrate import migrate

    database = open_database(settings.data_dir, settings.database_url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()


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


@app.command()
def demo(
    as_json: Annotated[bool, JSON_OPTION] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Keep everything up until Ctrl-C")] = False,
) -> None:
    """Install the App on a sample repository and watch new issues get their labels, all on this machine."""
    from bot.demo import play, scenario

    with _polite_errors():
        scenarios = [scenario.sample_scenario()]
        _finish(
            play.play_all(scenarios, load_settings(), _stage(as_json=as_json), stay=stay),
            as_json=as_json,
        )


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Issues as JSON Lines, gzipped or not")],
    repo: Annotated[str | None, typer.Option(help="Only this repository, owner/name")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """The same with anyone's issues: the first 70% by time is history, the rest arrives as webhooks."""
    from bot.demo import play, scenario

    with _polite_errors():
        scenarios = scenario.file_scenarios(file, repo=repo)
        _finish(play.play_all(scenarios, load_settings(), _stage(as_json=as_json)), as_json=as_json)


@app.command()
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

    with _polite_errors():
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


@app.command()
def up() -> None:
    """Run the receiver, one worker and the scheduler together, on one machine."""
    from bot.processes import running

    with _polite_errors(), ExitStack() as stack:
        _start()
        children = [
            stack.enter_context(running(name, os.environ))
            for name in ("serve", "worker", "schedule")
        ]
        console.print("Labelwright is up; Ctrl-C stops it.")
        try:
            while all(child.poll() is None for child in children):
                children[0].wait()
        except KeyboardInterrupt:
            return
        raise UserError("a process ended on its own; its last lines above say why")


@app.command()
def serve() -> None:
    """Run the webhook receiver."""
    import uvicorn

    from bot.web.app import create_app

    with _polite_errors():
        settings = _start()
        if not settings.webhook_secrets:
            raise UserError("Set LABELWRIGHT_WEBHOOK_SECRETS to the App's webhook secret")
        secrets = [secret.get_secret_value() for secret in settings.webhook_secrets]
        with _database(settings) as database:
            uvicorn.run(
                create_app(database, webhook_secrets=secrets),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
            )


@app.command()
def worker() -> None:
    """Run a worker: takes jobs from the queue, any number of them on any number of machines."""
    from bot.jobs.context import open_context
    from bot.jobs.tasks import TASKS
    from bot.jobs.worker import Serving, run_worker

    with _polite_errors():
        settings = _start()
        with _database(settings) as database:
            context = open_context(settings, database)
            run_worker(
                database,
                {name: partial(task, context) for name, task in TASKS.items()},
                concurrency=settings.worker_concurrency,
                serving=lambda: Serving(context.encoder.bundle_id, context.encoder.backend),
            )


@app.command()
def schedule() -> None:
    """Run the scheduler: redelivers what failed, reconciles labels. Any number may run."""
    from bot.github.app import AppAuth
    from bot.jobs.schedule import Reach, run_schedules

    with _polite_errors():
        settings = _start()
        auth = AppAuth(
            settings.require_app_id(), settings.private_key, api_url=settings.github_api_url
        )
        with _database(settings) as database:
            run_schedules(Reach(database, auth, settings.write_interval))


@app.command()
def migrate() -> None:
    """Bring the database to this version's tables."""
    with _polite_errors(), _database(_start()):
        console.print("The database is up to date.")


@app.command()
def doctor() -> None:
    """Check settings, database, bundle and GitHub; say what to do about what is wrong."""
    from bot.doctor import examine

    with _polite_errors():
        findings = examine(load_settings())
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[bold red]fix[/] "
        console.print(f"{mark}{finding.what}: {escape(finding.says)}", highlight=False)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def backfill(
    repository: Annotated[str, typer.Argument(help="owner/name, where the App is installed")],
) -> None:
    """Read a repository's labels and history and learn from it, here and now."""
    from bot.jobs.backfill import backfill_now
    from bot.jobs.context import open_context

    with _polite_errors():
        settings = _start()
        with _database(settings) as database:
            backfill_now(open_context(settings, database), repository, say=console.print)


@models.command("build")
def build(
    source: Annotated[
        str | None,
        typer.Option(help="A sentence-transformers model: directory or hub id; MiniLM if unset"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the bundle")] = None,
) -> None:
    """Build the bundle that serves (ONNX fp32 and int8, tokenizer, golden vectors), without torch."""
    from bot.classify.build import build_bundle, find_base_weights

    with _polite_errors():
        target = out or load_settings().bundle_dir
        with console.status("Building the bundle"):
            bundle = build_bundle(source or find_base_weights(), target)
        console.print(f"Built {bundle.manifest.name} at {target}", highlight=False)


def _stage(*, as_json: bool) -> Console:
    """Where people watch: standard output belongs to the JSON line where one was asked for."""
    return errors if as_json else console


def _finish(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary.as_dict()))
    if not summary.applied:
        errors.print("error: nothing was applied", style="bold red")
        raise typer.Exit(NOTHING_APPLIED_EXIT)


if __name__ == "__main__":
    app()

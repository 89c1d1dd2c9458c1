"""`labelwright preview`: what it would have done, before it is switched on. Writes a report, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from bot.core.rules import Rules
    from bot.preview.past import Past
    from bot.preview.report import Report

Say = Callable[[str, int, int], None]


def preview(
    repository: Annotated[
        str | None, typer.Argument(help="owner/name, read with the token in GITHUB_TOKEN")
    ] = None,
    issues: Annotated[
        Path | None, typer.Option(help="Issues as JSON Lines instead, gzipped or not")
    ] = None,
    repo: Annotated[str | None, typer.Option(help="Only this repository of the file")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the report")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Rules file to try, in place of the repository's own")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(min=0.5, max=0.99, help="Promise to report on; the one that fits if unset"),
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="Newest issues to read from GitHub at most")
    ] = 3000,
    seconds: Annotated[
        float, typer.Option(min=1, help="Time for all refits; fewer are made if it is short")
    ] = 600.0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read GitHub again, not the pages kept today")
    ] = False,
) -> None:
    """Replay a repository's own history and report what labels would have been set. Writes nothing to GitHub."""
    from bot.preview.play import write

    with polite_errors():
        if (repository is None) == (issues is None):
            raise UserError("name a repository (owner/name), or a file with --issues")
        settings = load_settings()
        own = _rules(rules)
        with _progress() as say:
            if issues is not None:
                past = _from_file(settings, issues, repo=repo, rules=own)
            else:
                past = _from_github(
                    settings, repository or "", rules=own, most=most, fresh=fresh, say=say
                )
            report = _play(settings, past, promise=precision, seconds=seconds, say=say)
        written = write(report, out or Path(f"preview-{_file_name(past.full_name)}"))
        _show(report)
        for path in (written.page, written.figures, written.rules):
            console.print(str(path), style="bold", highlight=False, markup=False, soft_wrap=True)


def _play(
    settings: Settings, past: Past, *, promise: float | None, seconds: float, say: Say
) -> Report:
    from bot.classify.encoder import Encoder
    from bot.demo.play import ensure_bundle
    from bot.preview import play

    encoder = Encoder.open(
        ensure_bundle(settings, errors),
        backend=settings.backend,
        threads=settings.encoder_threads,
    )
    try:
        cache = settings.data_dir / "preview" / "vectors" / _file_name(past.full_name)
        return play.preview(past, encoder, cache=cache, say=say, promise=promise, seconds=seconds)
    finally:
        encoder.close()


def _from_file(settings: Settings, path: Path, *, repo: str | None, rules: Rules | None) -> Past:
    from bot.core.rules import Rules
    from bot.preview.from_file import past_from_file

    settling = timedelta(days=settings.settling_days)
    return past_from_file(path, repo=repo, rules=rules or Rules(), settling=settling)


def _from_github(
    settings: Settings, full_name: str, *, rules: Rules | None, most: int, fresh: bool, say: Say
) -> Past:
    from bot.preview.from_github import past_from_github
    from bot.preview.kept_pages import KeptPages

    if settings.github_token is None:
        raise UserError(
            "Set GITHUB_TOKEN to a token that may read the repository's issues; "
            "it is used for reading only"
        )
    folder = settings.data_dir / "preview" / "pages" / _file_name(full_name)
    kept = KeptPages(folder, source=f"{settings.github_api_url} {full_name}", fresh=fresh)
    return past_from_github(
        full_name,
        token=settings.github_token.get_secret_value(),
        api_url=settings.github_api_url,
        kept=kept,
        most=most,
        rules=rules,
        settling=timedelta(days=settings.settling_days),
        say=lambda what, done: say(what, done, most),
    )


def _rules(path: Path | None) -> Rules | None:
    from bot.core.rules import parse_rules

    if path is None:
        return None
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot read it ({error.strerror})") from None
    except (UnicodeDecodeError, UserError) as error:
        raise UserError(f"{path}: {error}") from None


@contextmanager
def _progress() -> Iterator[Say]:
    """A bar on the error stream; a new one for each thing that is being done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors) as bars:
        tasks: dict[str, object] = {}

        def say(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escape(what), total=total)
            bars.update(tasks[what], completed=done)  # type: ignore[arg-type]

        yield say


def _show(report: Report) -> None:
    from bot.preview.tables import percent

    found = report.promise.measure
    console.print(
        f"{escape(report.repository)}, newest {found.issues} issues, promised "
        f"{report.promise.target:.0%}: precision {percent(found.precision)} "
        f"({found.right} of {found.right + found.wrong} known; {percent(found.unknown_share)} unknown, "
        f"worst case {percent(found.worst_case)}), coverage {percent(found.coverage)}, "
        f"label recall {percent(found.label_recall)}",
        highlight=False,
    )
    for note in report.notes:
        console.print(f"Note: {escape(note)}", highlight=False)


def _file_name(full_name: str) -> str:
    """A name for files: letters, digits, dots and dashes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in full_name)[
        :100
    ]

"""`labelwright-train run`, `runs` and `schedule`: retraining as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from bot.cli.terminal import console, errors, polite_errors
from bot.errors import UserError
from training.cli.progress import watch
from training.cli.terminal import need_training_extra

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.store.engine import Database
    from training.launch import Launcher
    from training.recipe import Recipe
    from training.run import House

LAUNCHERS = ("local", "agent", "slurm", "kubernetes")
LAUNCHER = typer.Option(help=f"Where it is fitted: {', '.join(LAUNCHERS)}")
RECIPE = typer.Option(help="Recipe file; `retrain` if unset")
NODES = typer.Option(min=1, help="Machines, for slurm and kubernetes")
GPUS = typer.Option(min=0, help="GPUs of each, for slurm and kubernetes; ranks for local, 0: all")
IMAGE = typer.Option(help="Container image, for kubernetes")
CLAIM = typer.Option(help="Volume claim that holds the training directory, for kubernetes")


@dataclass(frozen=True, slots=True)
class Place:
    """What the options say of where to fit."""

    launcher: str
    nodes: int
    gpus: int
    image: str
    claim: str


def run(
    resume: Annotated[int | None, typer.Option(help="Go on with this run")] = None,
    reason: Annotated[str, typer.Option(help="For the record")] = "by hand",
    recipe: Annotated[Path | None, RECIPE] = None,
    launcher: Annotated[str, LAUNCHER] = "local",
    nodes: Annotated[int, NODES] = 1,
    gpus: Annotated[int, GPUS] = 0,
    image: Annotated[str, IMAGE] = "",
    claim: Annotated[str, CLAIM] = "",
) -> None:
    """Retrain once: snapshot, fit, export, evaluate, gate, and promote what has won."""
    with polite_errors(), _house(Place(launcher, nodes, gpus, image, claim)) as (house, _):
        from training.run import begin, go_on

        run_id = resume or begin(house, recipe=_recipe(recipe), reason=reason)
        console.print(f"run {run_id}", highlight=False)
        hint = f"`labelwright-train run --resume {run_id}` goes on."
        with watch(errors, hint=hint) as on_progress:
            outcome = go_on(house, run_id, on_progress=on_progress)
        console.print(outcome, markup=False, highlight=False, soft_wrap=True)


def runs() -> None:
    """List the newest runs and what became of them."""
    from bot.cli.terminal import open_store, start
    from bot.store import runs as store

    with polite_errors(), open_store(start()) as database, database.session() as session:
        table = Table()
        for column in ("run", "began", "reason", "launcher", "status", "outcome"):
            table.add_column(column)
        found = store.newest(session)
        for row in found:
            began = f"{row.created_at:%Y-%m-%d %H:%M}"
            told = (began, row.reason, row.launcher, row.status, row.outcome)
            table.add_row(str(row.id), *map(escape, told))
    console.print(table)
    if any(row.status == "failed" for row in found):
        console.print(
            "`labelwright-train run --resume RUN` goes on where one failed, once what stood in its way is gone.",
            highlight=False,
            soft_wrap=True,
        )


def schedule(
    recipe: Annotated[Path | None, RECIPE] = None,
    launcher: Annotated[str, LAUNCHER] = "local",
    nodes: Annotated[int, NODES] = 1,
    gpus: Annotated[int, GPUS] = 0,
    image: Annotated[str, IMAGE] = "",
    claim: Annotated[str, CLAIM] = "",
) -> None:
    """Retrain when it is due (LABELWRIGHT_RETRAIN_CRON, LABELWRIGHT_RETRAIN_AFTER). Any number may run."""
    place = Place(launcher, nodes, gpus, image, claim)
    with polite_errors(), _house(place) as (house, settings):
        from bot.jobs.schedule import run_schedules
        from training.run import resume, retrain
        from training.schedule import Retraining, Stopping, schedules

        chosen, stopping = _recipe(recipe), Stopping()

        def due(reason: str) -> str:
            with stopping.working():
                return retrain(house, recipe=chosen, reason=reason, on_progress=stopping.check)

        def left_behind() -> str:
            with stopping.working():
                return resume(house, on_progress=stopping.check)

        found = schedules(settings.retrain_cron, after=settings.retrain_after)
        retraining = Retraining(house.database, due, left_behind, settings.retrain_after)
        with stopping.in_the_end():
            run_schedules(retraining, found, at_once=1)


@contextmanager
def _house(place: Place) -> Iterator[tuple[House, Settings]]:
    """The operator's database and directories, opened as the bot opens them."""
    need_training_extra()
    from bot.cli.terminal import open_store, start
    from bot.jobs.rollout.promotion import champion_dir, promote
    from training.run import House

    if place.launcher not in LAUNCHERS:
        raise UserError(f"--launcher {place.launcher}: there is {', '.join(LAUNCHERS)}.")
    settings = start()
    with open_store(settings) as database:

        def take_over(bundle: Path, run_id: int) -> str:
            return promote(
                database,
                bundle,
                bundles_dir=settings.bundles_dir,
                configured=settings.bundle_dir,
                run_id=run_id,
            )

        yield (
            House(
                database=database,
                directory=settings.training_dir / "runs",
                champion=lambda: champion_dir(database, settings.bundle_dir),
                settling=timedelta(days=settings.settling_days),
                launcher=place.launcher,
                launch=_launcher(place, settings, database),
                promote=take_over,
                backend=settings.backend,
                threads=settings.encoder_threads,
            ),
            settings,
        )


def _launcher(place: Place, settings: Settings, database: Database) -> Callable[[int], Launcher]:
    from training.launch.kubernetes import Kubernetes
    from training.launch.local import Local
    from training.launch.pull import Pull
    from training.launch.slurm import Slurm

    if place.launcher == "kubernetes":
        if not (place.image and place.claim):
            raise UserError("--launcher kubernetes needs --image and --claim.")
        cluster = Kubernetes(
            image=place.image,
            claim=place.claim,
            root=settings.training_dir,
            nodes=place.nodes,
            gpus=place.gpus,
        )
        return lambda _: cluster
    if place.launcher == "slurm":
        return lambda _: Slurm(nodes=place.nodes, gpus=place.gpus)
    if place.launcher == "agent":
        return lambda run_id: Pull(database, run_id)
    return lambda _: Local(ranks=place.gpus)


def _recipe(path: Path | None) -> Recipe:
    from training.recipe import recipe_named
    from training.recipe_file import read_recipe

    return recipe_named("retrain") if path is None else read_recipe(path)

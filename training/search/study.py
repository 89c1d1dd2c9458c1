"""The search as a whole: trials one after the other, kept in SQLite, the best one as a recipe file.

A search that was stopped goes on with the same command, and comes to what it would have come to: what is
tried next depends on nothing but the seed and the trials that ended. Refuses to mix two searches.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bot.classify.weights import find_base_weights, locate
from bot.errors import GiveUp, UserError
from training.device import find_device
from training.fit.output import identify
from training.network import open_tokenizer
from training.recipe import Recipe
from training.search.exam import make_exam
from training.search.ledger import Row, best_of, write_ledger
from training.search.space import chosen_names, suggest_values, values_of, with_values
from training.search.trial import LOOKS, Bench, run_trial
from training.snapshot.read import read_snapshot

if TYPE_CHECKING:
    from optuna import Study, Trial

STORE, LOCK, NAME = "search.db", "search.lock", "search"
TRIALS = 30
RANDOM = 8
"""Trials drawn at random, and trials that end before any is cut short, to have something to go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest:
    """What `labelwright-train search` is asked for."""

    recipe: Recipe
    snapshot: Path
    out: Path
    trials: int = TRIALS
    """In all, those of earlier calls included."""
    hours: float | None = None
    """No trial begins later than that in this call."""
    vary: Sequence[str] = ()


OnTrial = Callable[[Row], None]


def search(quest: Quest, *, on_trial: OnTrial = lambda _: None) -> list[Row]:
    """Trials until there are as many as asked for, or the time is up; all of them, oldest first.

    Raises:
        UserError: recipe or snapshot are not what they should be, or `out` holds another search.
    """
    import optuna  # of the training extra, and slow to import

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = chosen_names(quest.recipe, quest.vary)
    bench, identity = _open_bench(quest, names)
    until = time.monotonic() + quest.hours * 3600 if quest.hours is not None else None
    with _alone(quest.out):
        study = _open_study(quest.out, identity)
        rows = _rows(study)
        while len(rows) < quest.trials and (until is None or time.monotonic() < until):
            _try_once(study, bench, quest.recipe, names, number=len(rows))
            rows = _rows(study)
            write_ledger(quest.out, rows, recipe=quest.recipe, identity=identity)
            on_trial(rows[-1])
        write_ledger(quest.out, rows, recipe=quest.recipe, identity=identity)
    if rows and best_of(rows) is None:
        raise GiveUp(f"No trial came to its end; the first says: {rows[0].failed}")
    return rows


def _open_bench(quest: Quest, names: Sequence[str]) -> tuple[Bench, dict[str, str]]:
    recipe = quest.recipe
    if recipe.engine != "contrastive":
        raise UserError(
            f"The recipe {recipe.name!r} is of the engine {recipe.engine!r}; it is not tuned."
        )
    snapshot = read_snapshot(quest.snapshot)
    base = locate(recipe.encoder) if recipe.encoder else find_base_weights()
    bench = Bench(make_exam(snapshot), base, open_tokenizer(base), find_device(recipe.precision))
    told = identify(recipe, snapshot=snapshot.id, base=base).as_dict()
    return bench, {**told, "choice of what to vary": ", ".join(names)}


def _open_study(out: Path, identity: dict[str, str]) -> Study:
    import optuna
    from optuna.trial import TrialState

    try:
        study = optuna.create_study(
            study_name=NAME,
            storage=f"sqlite:///{out / STORE}",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=RANDOM, n_warmup_steps=1),
            load_if_exists=True,
        )
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{out / STORE} cannot be opened ({reason}). Give another --out.") from None
    kept = study.user_attrs or identity
    other = [key for key, value in identity.items() if kept.get(key) != value]
    if other:
        raise UserError(
            f"{out} holds a search with another {' and another '.join(other)}. Give another --out."
        )
    for key, value in identity.items():
        study.set_user_attr(key, value)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # its search was killed; it is drawn again
    return study


def _try_once(
    study: Study, bench: Bench, recipe: Recipe, names: Sequence[str], *, number: int
) -> None:
    """One more trial that ends: the first is the recipe itself, so that nothing worse is called best."""
    import optuna
    import torch

    start = values_of(recipe, names)
    study.sampler = optuna.samplers.TPESampler(
        seed=_seed(recipe.seed, number), n_startup_trials=RANDOM
    )
    if number == 0 and not study.get_trials(states=(optuna.trial.TrialState.WAITING,)):
        study.enqueue_trial(start)
    trial = study.ask()
    turned = with_values(recipe, suggest_values(trial, start), name=f"{recipe.name}-{number}")
    try:
        value = run_trial(bench, turned, on_look=lambda at, found: _look(trial, at, found))
    except (GiveUp, torch.OutOfMemoryError) as error:
        trial.set_user_attr("failed", str(error).splitlines()[0])
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, value)


def _look(trial: Trial, at: int, value: float) -> None:
    import optuna

    trial.report(value, at)
    if at % LOOKS and trial.should_prune():
        raise optuna.TrialPruned


def _seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "little")


def _rows(study: Study) -> list[Row]:
    """Trials that ended; those that a kill cut off were drawn again."""
    from optuna.trial import TrialState

    ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [
        Row(
            number=number,
            value=trial.value if trial.state == TrialState.COMPLETE else None,
            values=dict(trial.params),
            looks=tuple(trial.intermediate_values[at] for at in sorted(trial.intermediate_values)),
            failed=trial.user_attrs.get("failed"),
            seconds=trial.duration.total_seconds() if trial.duration else 0.0,
        )
        for number, trial in enumerate(ended)
    ]


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """UserError while another search is at work there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        stream = (out / LOCK).open("w")
    except OSError as error:
        raise UserError(f"{out}: no search can be kept there ({error.strerror}).") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{out}: another search is at work there; wait, or stop it.") from None
        yield

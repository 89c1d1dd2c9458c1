"""One run, from the snapshot to the encoder: what every rank of torchrun does, from top to bottom.

Refuses to go on in a directory that holds another run. Rank 0 alone reads and writes there, so that
the ranks may sit on machines without a common disk; each of them needs the snapshot. One run at a time.
"""

from __future__ import annotations

import platform
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bot.classify.seen import Provenance, read_provenance
from bot.classify.weights import find_base_weights, locate
from bot.errors import UserError
from training import distributed
from training.batches import tokenise
from training.device import find_device
from training.fit.checkpoint import Tree, write_whole
from training.fit.journal import Journal
from training.fit.labelled import texts_of
from training.fit.legs import Setting, train_legs
from training.fit.lesson import make_lesson
from training.fit.output import (
    CHECKPOINT,
    ENCODER,
    METRICS,
    RECIPE,
    TWIN,
    Identity,
    finished,
    identify,
    write_done,
    write_encoder,
)
from training.fit.saver import Saver, read_saved
from training.lock import locked
from training.lora import merge_low_rank
from training.network import open_tokenizer
from training.objectives.registry import make_terms
from training.provenance import learned
from training.recipe import Recipe
from training.recipe_file import recipe_text
from training.snapshot.held_back import hold_back
from training.snapshot.read import read_snapshot
from training.trackers import open_tracker


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What `python -m training.fit` is asked for."""

    recipe: Recipe
    snapshot: Path
    out: Path
    tracker: str = "auto"
    save_every: int = 200


def run(job: Job) -> None:
    """The fit as a whole. Called once per rank, inside the process group. Of a recipe with semi-supervised
    terms the supervised twin is fitted first: nobody could tell otherwise what the terms are worth.

    Raises:
        UserError: recipe, snapshot or output directory are not what they should be.
        GiveUp: the loss became no number, or the disk is full; the last good checkpoint stays.
        Preempted: SIGTERM; the same command goes on.
    """
    began = time.time()
    setting, snapshot, provenance = _prepare(job)
    identity = identify(job.recipe, snapshot=snapshot, base=setting.base)
    with ExitStack() as stack:
        distributed.first(lambda: stack.enter_context(locked(job.out)))
        if distributed.first(lambda: finished(job.out, identity)):
            return
        if setting.terms:
            run(replace(job, recipe=job.recipe.twin(), out=job.out / TWIN))
        saved = read_saved(job.out / CHECKPOINT, identity)
        journal = _open_journal(job, identity, saved, stack) if distributed.rank() == 0 else None
        saver = Saver(
            path=job.out / CHECKPOINT,
            identity=identity,
            every=job.save_every,
            seed=job.recipe.seed,
            cuda=setting.device.kind == "cuda",
            journal=journal,
        )
        stack.enter_context(saver.listening())
        network = train_legs(setting, saver, saved)
        if distributed.rank() == 0:
            merge_low_rank(network.encoder)
            write_encoder(
                network.encoder,
                job.out / ENCODER,
                base=setting.base,
                max_tokens=job.recipe.max_tokens,
                provenance=provenance,
            )
            write_done(job.out, identity, _facts(setting, snapshot, seconds=time.time() - began))
            (job.out / CHECKPOINT).unlink(missing_ok=True)


def _prepare(job: Job) -> tuple[Setting, str, Provenance]:
    recipe = job.recipe
    if recipe.engine != "contrastive":
        raise UserError(
            f"The recipe {recipe.name!r} is of the engine {recipe.engine!r}; training.fit runs "
            "'contrastive' (`labelwright-train score` runs both)."
        )
    snapshot = hold_back(read_snapshot(job.snapshot), recipe.held_back)
    base = locate(recipe.encoder) if recipe.encoder else find_base_weights()
    provenance = learned(read_provenance(base), snapshot)
    lesson, tokenizer = make_lesson(snapshot), open_tokenizer(base)
    setting = Setting(
        recipe=recipe,
        lesson=lesson,
        device=find_device(recipe.precision),
        base=base,
        tokenizer=tokenizer,
        terms=make_terms(recipe.terms),
        tokens=tokenise(tokenizer, texts_of(lesson.task), max_tokens=recipe.max_tokens),
    )
    if setting.terms and not setting.lesson.pool.texts:
        raise UserError(
            f"{job.snapshot} has no issue without labels, and the recipe {recipe.name!r} learns from "
            f"such by {', '.join(recipe.terms)}. Give its supervised twin (no terms), or more issues."
        )
    return setting, snapshot.id, provenance


def _open_journal(job: Job, identity: Identity, saved: Tree | None, stack: ExitStack) -> Journal:
    write_whole(job.out / RECIPE, recipe_text(job.recipe).encode())
    name = f"{job.recipe.name}-{identity.recipe[:8]}-{identity.snapshot}"
    config = {"recipe": job.recipe.name, **identity.as_dict()}
    tracker = open_tracker(job.tracker, run=name, config=config, directory=job.out)
    lines = saved["lines"] if saved is not None else 0
    return stack.enter_context(Journal(job.out / METRICS, tracker, lines))


def _facts(setting: Setting, snapshot: str, *, seconds: float) -> dict[str, Any]:
    """For whoever asks later how this encoder came about."""
    task = setting.lesson.task
    return {
        "recipe": setting.recipe.name,
        "snapshot": snapshot,
        "seed": setting.recipe.seed,
        "ranks": distributed.world_size(),
        "threads": torch.get_num_threads(),
        "device": str(setting.device),
        "labelled": len(task.issues),
        "unlabelled": len(setting.lesson.pool.texts),
        "labels": list(task.space.labels),
        "repositories": list(task.space.repos),
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }

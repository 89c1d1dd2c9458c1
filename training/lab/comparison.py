"""Draws few labels, hides the others, trains each method on the same draw, and tests all on the same issues.

What is hidden becomes the pool. The tested issues are never read while training, not even their text.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from bot.core.label_text import label_text
from bot.core.types import LabelSpec
from bot.errors import UserError
from training.batches import tokenise
from training.data import FiledIssue
from training.device import Device
from training.fit import encode, head_logits
from training.fit.labelled import texts_of
from training.fit.legs import Setting, train_legs
from training.fit.lesson import Lesson
from training.fit.output import Identity
from training.fit.saver import Saver
from training.network import Network, open_tokenizer
from training.objectives import Pool
from training.objectives.pseudo import probabilities
from training.objectives.registry import TERMS, make_terms
from training.recipe import Recipe
from training.recipe_file import recipe_text
from training.scoring.measure import DEFAULT_THRESHOLD, average_precision, decide_labels, f1_of
from training.task import Ints, Task, draw_shots

TWIN = "supervised"
NEVER = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One cell of the comparison."""

    method: str
    """A semi-supervised term, or `supervised`."""
    shots: int
    """Labelled issues per label."""
    seed: int


@dataclass(frozen=True, slots=True)
class Bench:
    """What every trial shares."""

    train: Task
    tested: Sequence[FiledIssue]
    unlabelled: Sequence[FiledIssue]
    """Of the training file, without any label to begin with."""
    recipe: Recipe
    device: Device
    base: Path
    inputs: Sequence[str]
    """Digests of both files and of the encoder: others are another benchmark."""


def method_recipe(recipe: Recipe, method: str) -> Recipe:
    """The recipe with that method alone; UserError for one that does not exist, or options it cannot have."""
    if method == TWIN:
        return replace(recipe, terms={})
    if method not in TERMS:
        raise UserError(f"There is no method {method!r}. Known: {', '.join([TWIN, *TERMS])}.")
    found = replace(recipe, terms={method: recipe.terms.get(method, {})})
    make_terms(found.terms)
    return found


def made_of(bench: Bench, method: str) -> str:
    """Digest of all that a figure depends on beside the trial: recipe of the method, encoder, issues."""
    recipe = replace(method_recipe(bench.recipe, method), name=method, seed=0)
    return hashlib.sha256("".join([recipe_text(recipe), *bench.inputs]).encode()).hexdigest()[:16]


def run_trial(bench: Bench, trial: Trial) -> dict[str, Any]:
    """Train and test; figures of the trial. UserError for a method that no unlabelled issue is left for.

    Returns:
        The trial's own fields, what it was made of, issues and pool, micro and macro F1 (arg-max of
        exclusive labels, one half otherwise), macro average precision (needs no threshold), seconds.
    """
    drawn = draw_shots(bench.train, trial.shots, seed=trial.seed)
    recipe = replace(method_recipe(bench.recipe, trial.method), seed=trial.seed)
    lesson = _lesson(bench, drawn)
    if recipe.terms and not lesson.pool.texts:
        raise UserError(
            f"{trial.shots} shots leave no issue unlabelled for {trial.method}. Give fewer, or a larger file."
        )
    started = time.perf_counter()
    network = _train(bench, recipe, lesson)
    seconds = time.perf_counter() - started
    space = bench.train.space
    tokens = tokenise(
        open_tokenizer(bench.base),
        [issue.text.joined for issue in bench.tested],
        max_tokens=recipe.max_tokens,
    )
    logits = head_logits(network, encode(network, tokens, device=bench.device))
    allowed = torch.as_tensor(space.allowed(space.repo_index(bench.tested)))
    found = probabilities(torch.as_tensor(logits), allowed, single=space.single).double().numpy()
    known = space.known(bench.tested)
    predicted = decide_labels(
        found, np.full(len(space.labels), DEFAULT_THRESHOLD), single=space.single
    )
    f1 = f1_of(predicted, known, space.labels)
    return {
        **asdict(trial),
        "made_of": made_of(bench, trial.method),
        "labelled": len(drawn.issues),
        "pool": len(lesson.pool.texts),
        "micro": f1.micro,
        "macro": f1.macro,
        "average_precision": average_precision(found, known),
        "seconds": round(seconds, 1),
    }


def _lesson(bench: Bench, drawn: Task) -> Lesson:
    """The drawn issues with their labels; all others of the training file without."""
    space = bench.train.space
    taken = {id(issue) for issue in drawn.issues}
    hidden = [issue for issue in (*bench.train.issues, *bench.unlabelled) if id(issue) not in taken]
    repo: Ints = space.repo_index(hidden)
    return Lesson(
        task=drawn,
        weights=np.ones(drawn.known.shape, dtype=np.float32),
        label_texts=tuple(label_text(LabelSpec(name)) for name in space.labels),
        pool=Pool(tuple(issue.text for issue in hidden), repo, space.allowed(repo)),
    )


def _train(bench: Bench, recipe: Recipe, lesson: Lesson) -> Network:
    tokenizer = open_tokenizer(bench.base)
    setting = Setting(
        recipe=recipe,
        lesson=lesson,
        device=bench.device,
        base=bench.base,
        tokenizer=tokenizer,
        terms=make_terms(recipe.terms),
        tokens=tokenise(tokenizer, texts_of(lesson.task), max_tokens=recipe.max_tokens),
    )
    with TemporaryDirectory() as folder:
        saver = Saver(
            path=Path(folder) / "checkpoint",
            identity=Identity("lab", "lab", "lab"),
            every=NEVER,
            seed=recipe.seed,
            cuda=bench.device.kind == "cuda",
            journal=None,
        )
        return train_legs(setting, saver, None)

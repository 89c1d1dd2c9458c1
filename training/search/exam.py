"""What a trial is judged by: the newest part of the issues that a fit may train on, split by time.

The snapshot's evaluation part is not looked at: the gate will ask it once, and it must be news then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bot.core.evidence import KnownPairs
from bot.errors import UserError
from training.batches import Tokens, tokenise
from training.device import Device
from training.fit import encode
from training.fit.labelled import texts_of
from training.fit.lesson import Lesson, make_lesson
from training.network import Network
from training.recipe import Recipe
from training.scoring.hierarchy import fit_hierarchy
from training.scoring.measure import average_precision
from training.snapshot.read import RepositoryData, Snapshot
from training.task import Ints

SHARE = 0.25
"""Of a repository's labelled issues, the newest."""
PENALTY = 100.0
"""Per weight of the heads: the vectors have seen these labels, so they are not to be believed much."""
SPREAD = 10.0
"""Length that centred vectors are scaled by, so that the penalty speaks of weights of usual size."""
LEAST_POSITIVES = 10
"""Fewer say nothing of a recipe."""


@dataclass(frozen=True, slots=True)
class Exam:
    """What a trial learns from, and the later issues that it is asked about."""

    lesson: Lesson
    texts: tuple[str, ...]
    repo: Ints
    known: KnownPairs
    """[n, L] of the lesson's labels."""

    def score(
        self, network: Network, recipe: Recipe, *, tokenizer: object, device: Device
    ) -> float:
        """Macro average precision, mean over repositories, of heads refitted on the tuned vectors: what
        a bundle is worth to the bot, which fits its own heads. Needs no threshold.
        """

        def vectors(texts: list[str]) -> np.ndarray:
            tokens: Tokens = tokenise(tokenizer, texts, max_tokens=recipe.max_tokens)
            return encode(network, tokens, device=device)

        task = self.lesson.task
        learned, asked_about = vectors(texts_of(task)), vectors(list(self.texts))
        centre = learned.mean(axis=0)
        heads = fit_hierarchy(
            (learned - centre) * SPREAD,
            task.known,
            task.repo,
            penalty=PENALTY,
            own_penalty=PENALTY,
        )
        found = heads.logits((asked_about - centre) * SPREAD, self.repo).astype(np.float64)
        asked = [np.flatnonzero(self.repo == index) for index in np.unique(self.repo)]
        told = [rows for rows in asked if (self.known[rows] > 0).any()]
        return float(np.mean([average_precision(found[rows], self.known[rows]) for rows in told]))


def make_exam(snapshot: Snapshot) -> Exam:
    """Splits the training part of each repository where its newest quarter begins.

    Raises:
        UserError: too few issues to learn from before that moment, or to be asked about after it.
    """
    past, later = zip(*map(_split, snapshot.repositories), strict=True)
    lesson = make_lesson(replace(snapshot, repositories=past))
    labels = lesson.task.space.labels
    known = np.vstack([_columns(data, labels) for data in later])
    positives = int((known > 0).sum())
    if positives < LEAST_POSITIVES:
        raise UserError(
            f"{snapshot.directory}: {positives} labels on the newest issues to train on are too few to "
            f"judge recipes by, {LEAST_POSITIVES} are needed. Search on a larger snapshot."
        )
    return Exam(
        lesson=lesson,
        texts=tuple(issue.text.joined for data in later for issue in data.issues),
        repo=np.concatenate([np.full(len(data.issues), i) for i, data in enumerate(later)]),
        known=known,
    )


def _split(data: RepositoryData) -> tuple[RepositoryData, RepositoryData]:
    """What was filed before a moment, labelled or not, and the labelled issues since, without those that
    nearly repeat an earlier one."""
    told = [
        i
        for i, issue in enumerate(data.issues)
        if issue.part == "train" and (data.known[i] != 0).any()
    ]
    since = told[len(told) - int(SHARE * len(told)) :]
    first = since[0] if since else len(data.issues)
    seen = {issue.group for issue in data.issues[:first]}
    fresh = [i for i in since if data.issues[i].group not in seen]
    return _rows(data, range(first)), _rows(data, fresh)


def _rows(data: RepositoryData, rows: range | list[int]) -> RepositoryData:
    at = np.array(rows, dtype=np.int64)
    issues = tuple(data.issues[i] for i in rows)
    return replace(data, issues=issues, known=data.known[at], weights=data.weights[at])


def _columns(data: RepositoryData, labels: tuple[str, ...]) -> KnownPairs:
    """Known pairs in the columns of the lesson. A label that it never met is not asked about, nor one whose
    yes and no don't both occur: any ranking is right there."""
    own = {spec.name: j for j, spec in enumerate(data.specs)}
    known = np.zeros((len(data.issues), len(labels)), dtype=np.int8)
    for column, label in enumerate(labels):
        if label in own:
            known[:, column] = data.known[:, own[label]]
    known[:, ~((known > 0).any(axis=0) & (known < 0).any(axis=0))] = 0
    return known

"""The word side: regressions over TF-IDF of words and word pairs, titles, headings and letter groups.

Richer than the features that the bot keeps per head: pairs in the body and letter groups cost memory
that a worker does not have, and bring a point of macro-F1 that training can afford.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from training.data import FiledIssue
from training.scoring.hierarchy import Hierarchy, fit_hierarchy
from training.task import Floats, Ints, Task

PENALTY = 0.3
"""Per weight, shared and own, on blocks of about unit length."""
WORD = r"(?u)\w[\w+#'-]*|[?!]"
OPENING = 1_000
"""Letters of the body from which letter groups are taken."""
MAX_FEATURES = 60_000
LEARN_FROM = 10_000
"""Issues that the vocabulary is taken from, evenly spread: more would need memory, not tell more."""


def _headings(issue: FiledIssue) -> list[str]:
    lines = (line.strip().lower() for line in issue.text.body.split("\n"))
    return [line for line in lines if line.startswith("#")]


def _same(found: list[str]) -> list[str]:
    return found


@dataclass(frozen=True, slots=True)
class Block:
    """Features of one kind, and the length that each row of them has."""

    weight: float
    read: Callable[[FiledIssue], Any]
    options: dict[str, Any]


BLOCKS = (
    Block(1.0, lambda issue: issue.text.joined, {"token_pattern": WORD, "ngram_range": (1, 2)}),
    Block(0.7, lambda issue: issue.text.title, {"token_pattern": WORD, "ngram_range": (1, 2)}),
    Block(0.5, _headings, {"analyzer": _same}),
    Block(
        0.7,
        lambda issue: f"{issue.text.title}\n{issue.text.body[:OPENING]}",
        {"analyzer": "char_wb", "ngram_range": (3, 5)},
    ),
)


@dataclass(frozen=True, slots=True)
class WordSide:
    """A regression over the word features; `vectorizers` in the order of `BLOCKS`, None: no features."""

    vectorizers: tuple[TfidfVectorizer | None, ...]
    regression: Hierarchy

    def log_odds(self, issues: Sequence[FiledIssue], repo: Ints) -> Floats:
        """[n, L]"""
        return self.regression.logits(_features(self.vectorizers, issues), repo)


def fit_words(task: Task) -> WordSide:
    """Fit on the known pairs of a task."""
    spread = task.issues[:: max(1, math.ceil(len(task.issues) / LEARN_FROM))]
    vectorizers = tuple(_learn(block, spread) for block in BLOCKS)
    regression = fit_hierarchy(
        _features(vectorizers, task.issues),
        task.known,
        task.repo,
        penalty=PENALTY,
        own_penalty=PENALTY,
    )
    return WordSide(vectorizers, regression)


def _learn(block: Block, issues: Sequence[FiledIssue]) -> TfidfVectorizer | None:
    """None where no feature is met in two issues: such a one could teach nothing about a third."""
    vectorizer = TfidfVectorizer(
        min_df=2, sublinear_tf=True, max_features=MAX_FEATURES, dtype=np.float32, **block.options
    )
    try:
        return vectorizer.fit([block.read(issue) for issue in issues])
    except ValueError:  # scikit-learn's way of saying that the vocabulary is empty
        return None


def _features(
    vectorizers: Sequence[TfidfVectorizer | None], issues: Sequence[FiledIssue]
) -> csr_matrix:
    blocks = [
        vectorizer.transform([block.read(issue) for issue in issues]) * block.weight
        for block, vectorizer in zip(BLOCKS, vectorizers, strict=True)
        if vectorizer is not None
    ]
    empty = csr_matrix(np.zeros((len(issues), 1), dtype=np.float32))
    return csr_matrix(hstack([empty, *blocks], format="csr"), dtype=np.float32)

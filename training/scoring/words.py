"""The word side: regressions over TF-IDF of words and word pairs, titles, headings and letter groups.

Richer than the features that the bot keeps per head: pairs in the body and letter groups cost memory
that a worker does not have, and bring a point of macro-F1 that training can afford.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from bot.classify.names import NAME_WEIGHT, name_words
from training.data import FiledIssue
from training.scoring.hierarchy import Hierarchy, OnPart, fit_hierarchy
from training.task import Floats, Ints, Task

PENALTY = 0.3
"""Per weight, shared and own, on blocks of about unit length."""
WORD = r"(?u)\w[\w+#'-]*|[?!]"
OPENING = 1_000
"""Letters of the body from which letter groups are taken."""
MAX_FEATURES = 60_000
"""Of a block, and of very many labels so many fewer"""
MOST_WEIGHTS = 120_000_000
"""that there are no more weights than these."""
AT_ONCE = 4_000
"""Issues whose features are in memory together where they are only scored."""


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
        found = np.zeros((len(issues), len(self.regression.shared.intercepts)), np.float32)
        for start in range(0, len(issues), AT_ONCE):
            here = slice(start, start + AT_ONCE)
            features = _features(self.vectorizers, issues[here])
            found[here] = self.regression.logits(features, repo[here])
        return found


def fit_words(task: Task, *, workers: int = 1, on_part: OnPart | None = None) -> WordSide:
    """Fit on the known pairs of a task."""
    most = min(MAX_FEATURES, MOST_WEIGHTS // (len(BLOCKS) * len(task.space.labels)))
    learned = [_learn(block, task.issues, most=most) for block in BLOCKS]
    regression = fit_hierarchy(
        _beside([found for _, found in learned], len(task.issues)),
        task.known,
        task.repo,
        penalty=PENALTY,
        own_penalty=PENALTY,
        prior=_named([found for found, _ in learned], task.space.labels),
        workers=workers,
        on_part=on_part,
    )
    return WordSide(tuple(vectorizer for vectorizer, _ in learned), regression)


def _learn(
    block: Block, issues: Sequence[FiledIssue], *, most: int
) -> tuple[TfidfVectorizer | None, csr_matrix | None]:
    """The features of the issues, and how to take them of others. None where no feature is met in two
    issues: such a one could teach nothing about a third."""
    vectorizer = TfidfVectorizer(
        min_df=2, sublinear_tf=True, max_features=most, dtype=np.float32, **block.options
    )
    try:
        found = vectorizer.fit_transform([block.read(issue) for issue in issues])
    except ValueError:  # scikit-learn's way of saying that the vocabulary is empty
        return None, None
    return vectorizer, found * block.weight


def _named(vectorizers: Sequence[TfidfVectorizer | None], labels: Sequence[str]) -> Floats:
    """[features, L]: what the labels' names say, where features are words."""
    sizes = [0 if each is None else len(each.vocabulary_) for each in vectorizers]
    said = np.zeros((1 + sum(sizes), len(labels)), dtype=np.float32)
    for number, (block, vectorizer) in enumerate(zip(BLOCKS, vectorizers, strict=True)):
        if vectorizer is not None and "analyzer" not in block.options:
            for column, words in enumerate(name_words(labels)):
                for word in words & vectorizer.vocabulary_.keys():
                    feature = vectorizer.vocabulary_[word]
                    said[1 + sum(sizes[:number]) + feature, column] = NAME_WEIGHT
    return said


def _features(
    vectorizers: Sequence[TfidfVectorizer | None], issues: Sequence[FiledIssue]
) -> csr_matrix:
    blocks = [
        vectorizer.transform([block.read(issue) for issue in issues]) * block.weight
        if vectorizer is not None
        else None
        for block, vectorizer in zip(BLOCKS, vectorizers, strict=True)
    ]
    return _beside(blocks, len(issues))


def _beside(blocks: Sequence[csr_matrix | None], count: int) -> csr_matrix:
    empty = csr_matrix(np.zeros((count, 1), dtype=np.float32))
    met = [block for block in blocks if block is not None]
    return csr_matrix(hstack([empty, *met], format="csr"), dtype=np.float32)

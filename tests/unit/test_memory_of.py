"""What a head is told to remember of corrections: what was said, and what follows from it no further than
the same text."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from bot.classify.memory import Memory
from bot.classify.trial import Lesson
from bot.core.rules import Rules
from bot.jobs.learning.past import Past, memory_of
from bot.store.issues import StoredIssue

NAMES = ("bug", "docs", "area/api")
VECTORS = np.eye(2, dtype=np.float32)


def _past() -> Past:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    issues = [
        StoredIssue(
            n, n, "t", "", True, "ann", False, "NONE", "open", False, False, at, None, frozenset()
        )
        for n in (7, 8)
    ]
    return Past("a/b", issues, {}, (), (), Rules())


def _remembered(lesson: Lesson, known: list[list[int]]) -> Memory:
    return memory_of(
        _past(),
        [lesson],
        NAMES,
        known=np.array(known, dtype=np.int8),
        vectors=VECTORS,
        exclusive=[("bug", "docs")],
    )


def test_an_added_label_rules_out_its_group_on_the_same_text_only() -> None:
    held = _remembered(Lesson("addition", 1, None, 1, 0.5, fresh=True), [[0, 0, 0], [-1, 1, 0]])
    assert list(zip(held.columns, held.signs, held.trust, strict=True)) == [(0, -1, 0), (1, 1, 0.5)]
    assert set(held.issues) == {8}
    near = np.array([[0.6, 0.8]], dtype=np.float32)
    sure = np.array([[0.95, 0.1, 0.1]])
    assert held.recall(sure, near)[0][0, 0] == sure[0, 0]
    assert held.recall(sure, VECTORS[1:])[0][0, 0] < 0.1


def test_a_label_taken_off_counts_for_issues_like_it() -> None:
    held = _remembered(Lesson("swap", 1, 0, 1, 1.0, fresh=True), [[0, 0, 0], [-1, 1, 0]])
    near = np.array([[0.6, 0.8]], dtype=np.float32)
    assert held.recall(np.array([[0.95, 0.1, 0.1]]), near)[0][0, 0] < 0.9

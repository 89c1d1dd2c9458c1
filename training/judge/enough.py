"""Whether a snapshot can judge a challenger at all: asked before anything is spent on one."""

from __future__ import annotations

from training.judge.case import Terms
from training.snapshot.held_back import hold_back
from training.snapshot.read import Snapshot


def too_little(snapshot: Snapshot, terms: Terms, *, held_back: int) -> str:
    """Why no challenger could be told from the champion; "" where one could. What the gate counts.
    `held_back`: the recipe's."""
    judged = [data.take("evaluate").known for data in snapshot.repositories if data.specs]
    issues = sum(int((known != 0).any(axis=1).sum()) for known in judged)
    positives = sum(int((known > 0).sum()) for known in judged)
    return terms.too_few(issues, positives) or terms.silent(_unseen(snapshot, held_back))


def _unseen(snapshot: Snapshot, held_back: int) -> int:
    """Labelled issues that a fit leaves out, of the repository with the most."""
    pairs = zip(snapshot.repositories, hold_back(snapshot, held_back).repositories, strict=True)
    return max(
        (len(a.take("train").issues) - len(b.take("train").issues) for a, b in pairs), default=0
    )

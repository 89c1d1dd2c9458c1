"""Whether a snapshot can judge a challenger at all: asked before anything is spent on one."""

from __future__ import annotations

from training.judge.case import Terms
from training.snapshot.read import Snapshot


def too_little(snapshot: Snapshot, terms: Terms) -> str:
    """Why no challenger could be told from the champion; "" where one could. What the gate counts."""
    judged = [data.take("evaluate").known for data in snapshot.repositories if data.specs]
    issues = sum(int((known != 0).any(axis=1).sum()) for known in judged)
    return terms.too_few(issues, sum(int((known > 0).sum()) for known in judged))

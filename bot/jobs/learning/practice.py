"""What became of issues that arrived: what we meant to apply, what humans said, and what that is worth.

The only place where the silent share, decisions and human labels meet. Refuses issues whose labels have not
settled yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bot.core.evidence import KnownPairs
from bot.core.unbiased import Practice
from bot.jobs.learning.past import Past
from bot.store import silence


@dataclass(frozen=True)
class Evidence:
    """`unbiased` [issues]: of all issues of the past, those on which we did not act. `practice`: the
    settled issues that we decided on, in order of arrival; `filed` [n]: when, in seconds."""

    unbiased: NDArray[np.bool_]
    practice: Practice
    filed: NDArray[np.float64]


def read_evidence(
    session: Session,
    repository_id: int,
    past: Past,
    *,
    names: Sequence[str],
    known: KnownPairs,
    settling: timedelta,
) -> Evidence:
    """`known` [issues of `past`, names]."""
    worth = silence.evidence_weights(session, repository_id)
    weights = np.array([worth.get(issue.id, 0.0) for issue in past.issues], dtype=np.float64)
    decided = silence.decided_labels(session, repository_id)
    settled = enumerate(past.settled(settling))
    rows = [row for row, has in settled if has and past.issues[row].id in decided]
    done = silence.labels_set(session, repository_id)
    meant = [(decided if weights[row] else done).get(past.issues[row].id, set()) for row in rows]
    applied = np.array([[name in labels for name in names] for labels in meant], dtype=np.bool_)
    return Evidence(
        unbiased=weights > 0,
        practice=Practice(applied.reshape(len(rows), len(names)), known[rows], weights[rows]),
        filed=past.times[rows],
    )

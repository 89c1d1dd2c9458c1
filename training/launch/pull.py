"""A GPU box fetches the run: it dials in to the receiver (`labelwright-train agent`); here we wait."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.store import runs
from bot.store.engine import Database
from training.launch import FitFailed, OnProgress, Work

POLL = 5.0


@dataclass(frozen=True, slots=True)
class Pull:
    """Waits for whoever leases the run; its row tells how far that is."""

    database: Database
    run_id: int
    poll: float = POLL

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        while not work.whole():
            with self.database.session() as session:
                run = runs.get(session, self.run_id)
                status, outcome, progress = run.status, run.outcome, run.progress
            if status == "failed":
                raise FitFailed(outcome)
            on_progress(progress)
            time.sleep(self.poll)

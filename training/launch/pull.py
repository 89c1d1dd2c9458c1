"""A GPU box fetches the run: it dials in to the receiver (`labelwright-train agent`); here we wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import OperationalError

from bot.store import runs
from bot.store.engine import Database
from training.launch import FitFailed, OnProgress, Work

log = logging.getLogger(__name__)

POLL = 5.0


@dataclass(frozen=True, slots=True)
class Pull:
    """Waits for whoever leases the run; its row tells how far that is."""

    database: Database
    run_id: int
    poll: float = POLL

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        while not work.whole():
            on_progress(self._look())
            time.sleep(self.poll)

    def _look(self) -> Mapping[str, Any]:
        """How far the box is that fits it; the last we heard while the database is away."""
        try:
            with self.database.session() as session:
                run = runs.look_after(session, self.run_id)
                status, outcome, progress = run.status, run.outcome, run.progress
        except OperationalError:
            log.warning("run %d: the database is out of reach", self.run_id)
            return {}
        if status == "failed":
            raise FitFailed(outcome)
        return progress

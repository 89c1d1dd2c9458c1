"""A turn in the row of writes to one installation: GitHub asks for one at a time, a second apart.

Turns are handed out by the database, so all workers share one row. Taken right before a write, so
that what is read before it does not eat up the distance.
"""

from __future__ import annotations

import time
from typing import Any

from bot.errors import RetryLater
from bot.jobs import queue
from bot.jobs.context import Context
from bot.store import installations

INLINE_WAIT = 3.0
"""Seconds that a worker thread sits out; who must wait longer goes back to the queue."""

EARLY = 2.0
"""Seconds before its moment at which a job comes back from the queue, to read what it must first."""

GRACE = 5.0
"""Seconds after its moment at which a turn has passed; the next one is taken then."""

NOTIFYING = 3
"""Turns that a comment takes: GitHub asks for three seconds around what notifies people."""


class NotYet(Exception):
    """The turn comes later than a thread may wait."""


class Turn:
    """Called before each write: takes the next turn and waits for it.

    Args:
        moment: when (seconds since the epoch) the first turn is, where it was taken before.
        waited: seconds that waiting for it has cost so far.
    """

    def __init__(
        self,
        context: Context,
        installation_id: int,
        *,
        moment: float | None = None,
        waited: float = 0.0,
    ) -> None:
        self.moment = moment
        self.waited = waited
        self._context = context
        self._installation_id = installation_id

    def __call__(self, *, slots: int = 1) -> None:
        """Returns when it is our turn. Raises NotYet where that takes long; `moment` says when."""
        if self.moment is None or time.time() - self.moment > GRACE:
            wait = self._take(slots)
            self.moment = time.time() + wait
            self.waited += wait
        left = self.moment - time.time()
        if left > INLINE_WAIT:
            raise NotYet
        time.sleep(max(0.0, left))
        self.moment = None

    def notifying(self) -> None:
        """The turn of a write that notifies people, such as a comment: more room is left after it."""
        self(slots=NOTIFYING)

    def come_back(self) -> RetryLater:
        """To be raised after `NotYet` where the whole job shall come back shortly before its moment."""
        assert self.moment is not None
        after = max(0.1, self.moment - time.time() - EARLY)
        return RetryLater("the installation's next write is waited for", after=after)

    def park(self, task: str, *, lock: str, key: str, **args: Any) -> str:
        """After `NotYet`: a job of its own goes on with this turn, shortly before its moment. In words."""
        assert self.moment is not None
        wait = self.moment - time.time()
        args["moment"] = self.moment
        job = queue.Job(task, args, lock=lock, queueing_lock=None, queue=queue.LIVE)
        with self._context.database.session() as session:
            queue.park(session, job, after=max(0.0, wait - EARLY), key=key)
        return f"waits {wait:.0f} s for the installation's next write"

    def _take(self, slots: int) -> float:
        with self._context.database.session() as session:
            return installations.reserve_write(session, self._installation_id, slots=slots)

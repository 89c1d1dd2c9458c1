"""Each queue has slots of its own: a refit waits neither for live issues nor for a history."""

from __future__ import annotations

import threading

from bot.jobs.lanes import Lane, lanes_of
from bot.jobs.queue import HISTORY, LEARNING, LIVE, QUEUES
from bot.store.engine import Database
from tests.integration.test_worker import enqueue, eventually, working


def test_a_lane_for_each_queue_and_the_live_one_is_the_broadest() -> None:
    assert lanes_of(QUEUES, concurrency=4) == (Lane(LIVE, 4), Lane(LEARNING, 1), Lane(HISTORY, 1))


def test_neither_waits_for_the_other(database: Database) -> None:
    go_on = threading.Event()
    held: list[str] = []
    ran: list[str] = []

    def hold(name: str) -> None:
        held.append(name)
        assert go_on.wait(60)

    for _ in range(3):  # more than there are live slots
        enqueue(database, "hold", name="live")
    enqueue(database, "hold", queue=HISTORY, name="history")
    with working(database, {"hold": hold, "note": lambda item: ran.append(item)}, concurrency=1):
        try:
            eventually(lambda: sorted(held) == ["history", "live"])
            enqueue(database, "note", queue=LEARNING, item="refit")
            eventually(lambda: ran == ["refit"])
        finally:
            go_on.set()


def test_live_issues_go_on_while_a_head_is_refitted(database: Database) -> None:
    go_on = threading.Event()
    ran: list[str] = []

    def hold() -> None:
        assert go_on.wait(60)

    for _ in range(2):
        enqueue(database, "hold", queue=LEARNING)
    with working(database, {"hold": hold, "note": lambda item: ran.append(item)}, concurrency=1):
        try:
            enqueue(database, "note", item="live")
            eventually(lambda: ran == ["live"])
        finally:
            go_on.set()

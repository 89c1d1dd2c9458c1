"""The replay behind `benchmarks.learning`, on a made-up repository: same seed, same course; what the
simulated maintainer corrects is learned by the product's own loop."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.learning_figures import figures_of
from benchmarks.learning_loop import Replay
from benchmarks.learning_world import World
from benchmarks.maintainer import Habits
from bot.issues_file import FiledIssue

WORDS = {"bug": "crash traceback error", "docs": "typo page manual", "feature": "please add option"}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def _encode(texts: Sequence[str]) -> np.ndarray:
    """By the words of each label, and a little of what is each text's own."""
    own = np.array([np.random.default_rng(list(text.encode())).normal(size=5) for text in texts])
    said = [
        [sum(word in text for word in told.split()) for told in WORDS.values()] for text in texts
    ]
    vectors = np.hstack([np.array(said, dtype=float), 0.8 * own])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _issue(number: int) -> FiledIssue:
    names = list(WORDS)
    label = names[number % 3]
    said = label if number % 9 else names[(number + 1) % 3]
    return FiledIssue(
        repo="a/b",
        number=number,
        title=f"{WORDS[said].split()[number % 2]} in part {number}",
        body=WORDS[said],
        labels=(label,),
        created_at=BEGIN + timedelta(days=number),
        closed_at=None,
        author="ann",
        association="NONE",
    )


@pytest.fixture(scope="module")
def replays() -> list[Replay]:
    """Two with the same seed."""
    found = []
    for _ in range(2):
        world = World(
            "made up",
            [_issue(number) for number in range(160)],
            start=120,
            encode=_encode,
            habits=Habits(remove=1.0, add=1.0),
            seed=3,
            silent_share=0.05,
        )
        found.append(Replay(world, whole_every=30, target=0.6))
        found[-1].run()
    return found


def test_the_same_seed_gives_the_same_course(replays: list[Replay]) -> None:
    first, second = (replay.log for replay in replays)
    assert first.arrivals == second.arrivals
    assert first.learned == second.learned


def test_what_was_corrected_is_right_after_the_refit(replays: list[Replay]) -> None:
    found = figures_of(replays[0])
    told = found["corrected_right"].values()
    assert sum(tally["n"] for tally in told) > 5
    assert all(tally["right"] == tally["n"] for tally in told)
    assert found["measures"]["fast"]["applied"] > 20


def test_silent_issues_get_nothing_and_correct_nothing(replays: list[Replay]) -> None:
    replay = replays[0]
    silent = [arrival.row for arrival in replay.log.arrivals if arrival.silent]
    assert silent
    assert not any(replay.world.labels_set(row) for row in silent)
    assert not any(replay.world.corrections.get(row) for row in silent)


def test_what_was_only_ruled_out_is_no_repeated_mistake(replays: list[Replay]) -> None:
    world = replays[0].world
    told = {
        (one.issue_id, label)
        for found in world.corrections.values()
        for one in found
        for label in one.labels
    }
    learned = {(row, label) for row, label, _ in replays[0].log.learned}
    assert learned
    assert learned <= told

"""Snapshots of made-up issues, cut from a file in a second."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.training.tiny import FILLER, WORDS, write_rows
from training.snapshot.cut import CutSettings, cut_files
from training.snapshot.read import Snapshot

START = datetime(2024, 1, 1, tzinfo=UTC)
RARE = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "bdgkmnprst"]
"""Words that make every text its own, so that none repeats another."""


def dated_rows(
    count: int, *, repo: str = "a/one", seed: int = 0, unlabelled: float = 0.0
) -> list[dict[str, Any]]:
    """Issues an hour apart whose words tell their label; a share of them bears none."""
    rng = random.Random(f"{repo} {seed}")
    names = sorted(WORDS)
    rows = []
    for i in range(count):
        label = names[i % len(names)]
        words = rng.choices(WORDS[label], k=3) + rng.choices(FILLER, k=3) + rng.choices(RARE, k=10)
        rng.shuffle(words)
        rows.append(
            {
                "repo": repo,
                "number": i + 1,
                "title": " ".join(words[:5]),
                "body": " ".join(words[5:]),
                "labels": [] if rng.random() < unlabelled else [label],
                "created_at": (START + timedelta(hours=i)).isoformat(),
            }
        )
    return rows


def cut_rows(folder: Path, rows: list[dict[str, Any]], **settings: Any) -> Snapshot:
    file = write_rows(folder / "issues.jsonl", rows)
    return cut_files([file], folder / "snapshot", settings=CutSettings(**settings))

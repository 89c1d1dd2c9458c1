"""Made-up pasts to preview: words tell the labels, and so do the vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from bot.core.rules import Rules
from bot.core.types import LabelEvent
from bot.preview.past import Past, PastIssue
from bot.preview.record import PastRecord
from bot.preview.rewind import Floats, Scene, texts_of

START = datetime(2024, 1, 1, tzinfo=UTC)
SETTLING = timedelta(days=7)
DIM = 32
WORDS = {
    "bug": ("crash", "traceback", "fails", "broken"),
    "docs": ("typo", "guide", "manual", "wording"),
    "feature": ("wish", "support", "allow", "option"),
}


def bag(texts: Sequence[str]) -> Floats:
    """Unit vectors of the words in each text."""
    found = np.full((len(texts), DIM), 1e-3, dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            found[row, int(hashlib.md5(word.encode()).hexdigest(), 16) % DIM] += 1
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def human(label: str, at: datetime, *, added: bool = True) -> LabelEvent:
    return LabelEvent(label, added, "ann", "human", at)


def issue(row: int, label: str | None, *, timed: bool = True, **more: Any) -> PastIssue:
    """An issue a day after the one before, labelled two hours later."""
    rng = np.random.default_rng(row)
    said = list(rng.choice(WORDS[label], 3)) if label in WORDS else []
    text = " ".join([*said, f"w{rng.integers(300)}", f"w{rng.integers(300)}"])
    at = START + timedelta(days=row)
    events = (human(label, at + timedelta(hours=2)),) if label and timed else ()
    told: dict[str, Any] = {
        "number": row + 1,
        "title": text,
        "body": f"{text} here",
        "created_at": at,
        "labels": frozenset([label] if label else []),
        "events": events,
        "as_filed": True,
        **more,
    }
    return PastIssue(**told)


def past_of(issues: Sequence[PastIssue], **more: Any) -> Past:
    now = (issues[-1].created_at if issues else START) + timedelta(days=30)
    told: dict[str, Any] = {
        "full_name": "acme/widget",
        "issues": tuple(issues),
        "now": now,
        "settling": SETTLING,
        "web_url": "https://github.com",
        **more,
    }
    return Past(**told)


def ordinary(count: int, **more: Any) -> list[PastIssue]:
    """Issues whose labels can be learned."""
    labels = tuple(WORDS)
    return [issue(row, labels[row % len(labels)], **more) for row in range(count)]


def scene_of(issues: Sequence[PastIssue]) -> Scene:
    texts = texts_of(issues)
    return Scene(issues, texts, bag([text.joined for text in texts]), bag, rules=Rules())


def record_of(issues: Sequence[PastIssue], *, until: datetime | None = None) -> PastRecord:
    end = until or issues[-1].created_at + timedelta(days=30)
    return PastRecord(issues, settling=SETTLING, until=end)

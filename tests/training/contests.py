"""Made-up contests: two contenders whose skill is known, on issues whose truth is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from training.judge.bootstrap import (
    Difference,
    compare_coverage,
    compare_macro_f1,
    compare_served,
    resample,
)
from training.judge.gate import Case, Served
from training.judge.judged import Judged
from training.judge.redraw import REDRAWS
from training.snapshot.manifest import Window

START = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("bug", "docs", "feature")


def difference(
    value: float, *, error: float = 0.02, seed: int = 0, base: float = 0.5
) -> Difference:
    """As a bootstrap would give it whose resamples scatter by `error`."""
    draws = np.random.default_rng(seed).normal(value, error, size=2000)
    return Difference(base, base + value, draws)


def window(week: int = 0) -> Window:
    return Window(START + timedelta(weeks=week), START + timedelta(weeks=week, days=6))


def case(**changes: Any) -> Case:
    """A clear win, unless something is changed."""
    values: dict[str, Any] = {
        "run": "run-1",
        "champion": "old",
        "challenger": "new",
        "snapshot": "snap-1",
        "windows": {"a/one": window()},
        "known_issues": 400,
        "positives": 400,
        "coverage": difference(0.2),
        "equal": difference(0.1),
        "macro_f1": difference(0.02),
        "repositories": {"a/one": difference(0.2)},
        "issues": {"a/one": 400},
        "served": {"a/one": Served(95, 5, 0.9)},
        "served_before": {"a/one": Served(92, 8, 0.9)},
        "corrections": (10, 0, 2),
        "promised": 3,
    }
    return Case(**{**values, **changes})


def contest(
    *, n: int = 240, skills: tuple[float, float] = (1.0, 1.0), seed: int = 0
) -> tuple[Judged, Judged]:
    """Two contenders on the same issues; `skills`: how far each one's scores lie from its errors."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(LABELS), size=n)
    known = np.full((n, len(LABELS)), -1, dtype=np.int8)
    known[np.arange(n), truth] = 1
    known[rng.random(n) < 0.1] = 0
    hard = rng.normal(size=(n, len(LABELS)))
    first, second = (
        _judged(known, truth, skill, hard + rng.normal(size=hard.shape)) for skill in skills
    )
    return first, second


def measured(first: Judged, second: Judged, *, seed: int = 0, **changes: Any) -> Case:
    """The case that these two make, bootstrapped."""
    weights = resample([len(first.known)], resamples=300, seed=seed)
    coverage = compare_served([first], [second], weights)
    return case(
        coverage=coverage,
        equal=compare_coverage([first], [second], weights),
        macro_f1=compare_macro_f1([first], [second], weights),
        repositories={"a/one": coverage},
        issues={"a/one": len(first.known)},
        known_issues=int((first.known != 0).any(axis=1).sum()),
        positives=int((first.known > 0).sum()),
        served={"a/one": _served(second)},
        served_before={"a/one": _served(first)},
        **changes,
    )


def _served(part: Judged) -> Served:
    right, wrong = ((part.applied & (part.known == sign)).sum() for sign in (1, -1))
    return Served(int(right), int(wrong), 0.9)


def _judged(known: Any, truth: Any, skill: float, noise: Any) -> Judged:
    logits = noise.copy()
    logits[np.arange(len(truth)), truth] += 2 * skill
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    offered = p == p.max(axis=1, keepdims=True)
    applied = offered & (p >= 0.93)
    return Judged(LABELS, known, p, offered, applied, always(applied), 0.9)


def always(applied: Any) -> Any:
    """What cuts cover that every redraw of the past chooses alike."""
    return np.tile(applied.any(axis=1), (REDRAWS, 1))

"""How the promise of a repository stands: promised, expected, and realised where nothing of ours shaped it.

Without a silent share there is no realised precision, only the correction rate, and the report says what that
is worth. Figures only; people's words for them are in `bot.cli.status`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from bot.classify.expectation import Expectation, LabelExpectation
from bot.classify.head import DELTA
from bot.core import unbiased
from bot.core.sequence import disproved
from bot.core.unbiased import Practice
from bot.jobs.learning import past as pasts
from bot.jobs.learning.past import Past
from bot.jobs.learning.practice import Evidence, read_evidence
from bot.store import heads

LOWER_BOUND = "correction rate, a lower bound on error"


def measure_standing(
    session: Session, repository_id: int, *, settling: timedelta, past: Past | None = None
) -> dict[str, Any]:
    """Figures as JSON takes them; `past`: as it was read lately, read now if not given. Raises Ignore where
    the repository is not served."""
    stored = heads.active(session, repository_id)
    past = past or pasts.read_past(session, repository_id)
    if stored is None:
        return {"repository": past.full_name, "head": None}
    expected = Expectation.from_dict(stored.expectation)
    names = [row.label for row in expected.labels]
    known = pasts.known_pairs(past, names, exclusive=past.exclusive(), settling=settling)
    evidence = read_evidence(
        session, repository_id, past, names=names, known=known, settling=settling
    )
    return {
        "repository": past.full_name,
        "head": stored.version,
        "silent_share": past.rules.silent_share,
        **standing_of(expected, evidence),
    }


def standing_of(expected: Expectation, evidence: Evidence) -> dict[str, Any]:
    practice = evidence.practice
    return {
        "promised": expected.target,
        "confidence": 1 - DELTA,
        "expected": {
            "precision": expected.precision,
            "lower_bound": expected.lower_bound,
            "coverage": expected.coverage,
            "issues": expected.n,
            "choice": expected.choice,
        },
        "realised": _realised(practice, expected.target),
        "corrections": {
            "says": LOWER_BOUND,
            **asdict(unbiased.correction_rate(practice, delta=DELTA)),
        },
        "unbiased_issues": int(evidence.unbiased.sum()),
        "labels": [_label(row, practice, column) for column, row in enumerate(expected.labels)],
    }


def _realised(practice: Practice, target: float) -> dict[str, Any] | None:
    """On the silent share; None where there is none yet."""
    if not practice.silent.any():
        return None
    wrong, looked = (counts[practice.silent].sum(axis=1) for counts in practice.errors())
    seen = looked > 0
    return {
        "issues": int(practice.silent.sum()),
        "precision": asdict(unbiased.precision(practice, delta=DELTA)),
        "coverage": asdict(unbiased.coverage(practice, delta=DELTA)),
        "label_recall": asdict(unbiased.label_recall(practice, delta=DELTA)),
        "disproved": disproved(wrong[seen], looked[seen], target=target, delta=DELTA),
    }


def _label(row: LabelExpectation, practice: Practice, column: int) -> dict[str, Any]:
    applied, known = practice.applied[:, column], practice.known[:, column]
    silent = practice.silent
    return {
        "label": row.label,
        "expected": row.precision,
        "expected_known": row.right + row.wrong,
        "right": int((silent & applied & (known > 0)).sum()),
        "wrong": int((silent & applied & (known < 0)).sum()),
        "unknown": int((silent & applied & (known == 0)).sum()),
        "set": int((~silent & applied).sum()),
        "corrected": int((~silent & applied & (known < 0)).sum()),
        "apply_at": row.apply_at,
        "muted": row.why_muted,
    }

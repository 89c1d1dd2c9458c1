"""Suspicious labels: the planted errors come first, and what nobody knows is never named."""

from __future__ import annotations

import numpy as np
import pytest

from bot.preview.suspects import issue_quality, suspects


def test_the_worst_pairs_weigh_most() -> None:
    """Figures of cleanlab 2.9.0: get_label_quality_scores(labels, p, method="self_confidence")."""
    p = np.array([[0.9, 0.2, 0.7], [0.1, 0.8, 0.4], [0.6, 0.6, 0.05]])
    known = np.array([[1, -1, 1], [1, -1, 1], [-1, 1, -1]], dtype=np.int8)
    assert issue_quality(p, known) == pytest.approx(CLEANLAB)


CLEANLAB = [0.724, 0.128, 0.454]


def test_unknown_pairs_count_for_nothing() -> None:
    p = np.array([[0.9, 0.01], [0.9, 0.5]])
    known = np.array([[1, 0], [0, 0]], dtype=np.int8)
    quality = issue_quality(p, known)
    assert quality[0] == pytest.approx(0.9)
    assert np.isnan(quality[1])
    assert suspects(p, known) == []


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Forty issues of two labels that the scores tell apart, but for two that were labelled wrongly."""
    rng = np.random.default_rng(0)
    truth = np.tile([[1, -1], [-1, 1]], (20, 1)).astype(np.int8)
    p = np.where(truth > 0, 0.85, 0.1) + rng.uniform(-0.05, 0.05, truth.shape)
    known = truth.copy()
    p[7] = (0.95, 0.03)
    p[20] = (0.03, 0.95)
    return p, known


def test_planted_errors_are_found() -> None:
    p, known = planted()
    found = suspects(p, known)
    assert {s.row for s in found} == {7, 20}
    assert {(s.row, s.column, s.was_set) for s in found} == {
        (7, 0, False),
        (7, 1, True),
        (20, 0, True),
        (20, 1, False),
    }
    assert all(s.confidence < 0.1 for s in found)


def test_what_no_head_scored_is_not_judged() -> None:
    p, known = planted()
    p[7] = np.nan
    assert {s.row for s in suspects(p, known)} == {20}


def test_no_more_than_asked_for() -> None:
    assert len(suspects(*planted(), most=1)) == 1


def test_a_history_without_labels_has_no_suspects() -> None:
    assert suspects(np.zeros((5, 0)), np.zeros((5, 0), dtype=np.int8)) == []

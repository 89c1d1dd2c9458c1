from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.measure import (
    Promise,
    at_cut,
    best_thresholds,
    choose_cut,
    decide_labels,
    f1_of,
    hindsight_coverage,
)


def drawn(n: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities and what came of them."""
    rng = np.random.default_rng(0)
    probabilities = rng.random((n, labels))
    known = np.where(rng.random((n, labels)) < probabilities, 1, -1).astype(np.int8)
    return probabilities, known


def test_f1_is_that_of_scikit_learn() -> None:
    probabilities, known = drawn(200, 3)
    predicted = decide_labels(probabilities, np.full(3, 0.5), single=False)
    found = f1_of(predicted, known, ("a", "b", "c"))
    for average in ("micro", "macro"):
        expected = f1_score(known > 0, predicted, average=average)
        assert getattr(found, average) == pytest.approx(expected)
    best = decide_labels(probabilities, np.zeros(0), single=True)
    truth = np.random.default_rng(1).integers(0, 3, 200)
    single = np.where(np.arange(3) == truth[:, None], 1, -1).astype(np.int8)
    expected = f1_score(truth, probabilities.argmax(axis=1), average="macro")
    assert f1_of(best, single, ("a", "b", "c")).macro == pytest.approx(expected)


def test_unknown_pairs_change_no_figure() -> None:
    predicted = np.array([[True, True], [True, False]])
    known = np.array([[1, 0], [-1, 0]], dtype=np.int8)
    found = f1_of(predicted, known, ("a", "b"))
    assert found.per_label == {"a": pytest.approx(2 / 3)}
    assert found.micro == found.macro == pytest.approx(2 / 3)


def test_thresholds_part_what_can_be_parted() -> None:
    rng = np.random.default_rng(0)
    known = np.where(rng.random((400, 2)) < 0.3, 1, -1).astype(np.int8)
    probabilities = np.where(known > 0, 0.3, 0.1) + rng.random((400, 2)) * 0.05
    thresholds = best_thresholds(probabilities, known)
    assert ((thresholds > 0.15) & (thresholds < 0.3)).all()


def test_a_label_without_positives_gets_the_common_threshold() -> None:
    probabilities, known = drawn(300, 2)
    known[:, 1] = -1
    first, second = best_thresholds(probabilities, known)
    pooled = best_thresholds(probabilities.reshape(-1, 1), known.reshape(-1, 1))[0]
    assert second == pytest.approx(pooled)
    assert first != second


def test_the_cut_keeps_its_promise_on_fresh_issues() -> None:
    probabilities, known = drawn(4000, 1)
    probabilities, fresh = probabilities[:2000], (probabilities[2000:], known[2000:])
    promise = choose_cut(probabilities, known[:2000], target=0.8, single=False)
    assert promise.cut is not None
    found = at_cut(*fresh, promise, single=False)
    assert found["precision"] is not None
    assert found["precision"] >= 0.8
    assert found["coverage"] is not None
    assert 0 < found["coverage"] <= hindsight_coverage(*fresh, target=0.8, single=False)


def test_no_cut_where_evidence_is_short() -> None:
    promise = choose_cut(np.full((5, 1), 0.99), np.ones((5, 1), np.int8), target=0.9, single=False)
    assert promise.cut is None
    found = at_cut(np.ones((3, 1)), np.ones((3, 1), np.int8), promise, single=False)
    assert found["coverage"] == 0
    assert found["precision"] is None


def test_single_label_data_offer_one_label_each() -> None:
    probabilities = np.array([[0.5, 0.45, 0.05]])
    known = np.array([[1, -1, -1]], dtype=np.int8)
    found = at_cut(probabilities, known, Promise(0.9, 0.4), single=True)
    assert found["right"] == 1
    assert found["wrong"] == 0

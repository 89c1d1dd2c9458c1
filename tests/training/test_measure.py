from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
)

from training.scoring.measure import (
    Promise,
    at_cuts,
    average_precision,
    best_thresholds,
    choose_cuts,
    decide_labels,
    f1_of,
    hindsight_coverage,
    no_promise,
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


def drawn_in_part(decimals: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """As `drawn`; a third of the pairs is unknown, and the last label has no positive. With few decimals
    many issues get the same score, and those that carry the label come first."""
    probabilities, known = drawn(300, 4)
    first = np.argsort(-known[:, 0], kind="stable")
    probabilities, known = probabilities[first].round(decimals), known[first]
    known[np.random.default_rng(1).random(known.shape) < 1 / 3] = 0
    known[:, 3] = -np.abs(known[:, 3])
    return probabilities, known


def test_on_known_pairs_f1_is_that_of_scikit_learn_with_the_unknown_weighing_nothing() -> None:
    probabilities, known = drawn_in_part()
    predicted = decide_labels(probabilities, np.array([0.3, 0.5, 0.6, 0.9]), single=False)
    found = f1_of(predicted, known, ("a", "b", "c", "d"))
    told = known != 0
    assert found.micro == pytest.approx(f1_score(known[told] > 0, predicted[told]))
    each = [f1_score(known[told[:, j], j] > 0, predicted[told[:, j], j]) for j in range(3)]
    assert list(found.per_label.values()) == pytest.approx(each)
    assert found.macro == pytest.approx(np.mean(each))  # of the labels that somebody set


def test_precision_recall_and_coverage_are_those_of_scikit_learn() -> None:
    probabilities, known = drawn_in_part()
    cuts = np.array([0.7, 0.8, np.inf, 0.95])
    found = at_cuts(probabilities, known, Promise(0.9, cuts), single=False)
    applied, told = probabilities >= cuts, known != 0
    truth = known > 0
    assert found["precision"] == pytest.approx(precision_score(truth[told], applied[told]))
    assert found["worst_case"] == pytest.approx(precision_score(truth.ravel(), applied.ravel()))
    assert found["label_recall"] == pytest.approx(recall_score(truth.ravel(), applied.ravel()))
    assert found["coverage"] == pytest.approx(applied.any(axis=1).mean())
    assert found["unknown_share"] == pytest.approx((applied & ~told).sum() / applied.sum())


@pytest.mark.parametrize("decimals", [16, 1])
def test_coverage_in_hindsight_is_that_of_the_lowest_good_threshold_of_scikit_learn(
    decimals: int,
) -> None:
    probabilities, known = drawn_in_part(decimals)
    told = known != 0
    precision, _, thresholds = precision_recall_curve(known[told] > 0, probabilities[told])
    lowest = thresholds[precision[:-1] >= 0.6].min()
    expected = (probabilities >= lowest).any(axis=1).mean()
    assert hindsight_coverage(probabilities, known, target=0.6, single=False) == expected


@pytest.mark.parametrize("decimals", [16, 1])
def test_average_precision_is_that_of_scikit_learn(decimals: int) -> None:
    """Of what scores alike nothing comes first: an encoder that collapsed would be praised for the order
    of its issues."""
    probabilities, known = drawn_in_part(decimals)
    each = [
        average_precision_score(known[told, j] > 0, probabilities[told, j])
        for j, told in enumerate((known != 0).T[:3])
    ]
    assert average_precision(probabilities, known) == pytest.approx(np.mean(each))


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


@pytest.mark.parametrize("decimals", [16, 1, 0])
def test_no_threshold_lies_inside_of_a_tie(decimals: int) -> None:
    probabilities, known = drawn_in_part(decimals)
    asked, truth = probabilities[:, :1], known[:, :1]
    own = best_thresholds(asked, truth)  # one label: its own and the common one are the same
    told = known[:, 0] != 0

    def f1(threshold: float) -> float:
        return float(f1_score(truth[told, 0] > 0, asked[told, 0] >= threshold))

    assert f1(own[0]) == pytest.approx(max(f1(x) for x in np.unique(asked)))


def test_a_label_without_positives_gets_the_common_threshold() -> None:
    probabilities, known = drawn(300, 2)
    known[:, 1] = -1
    first, second = best_thresholds(probabilities, known)
    pooled = best_thresholds(probabilities.reshape(-1, 1), known.reshape(-1, 1))[0]
    assert second == pytest.approx(pooled)
    assert first != second


def test_the_cuts_keep_their_promise_on_fresh_issues() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.3, 0.3, (4000, 1))
    known = np.where(rng.random((4000, 1)) < probabilities, 1, -1).astype(np.int8)
    probabilities, fresh = probabilities[:2000], (probabilities[2000:], known[2000:])
    fold = np.arange(2000) % 5
    made = choose_cuts(probabilities, known[:2000], fold, ("a",), target=0.8, single=False)
    found = at_cuts(*fresh, made, single=False)
    assert found["precision"] is not None
    assert found["precision"] >= 0.8
    assert found["coverage"] is not None
    assert 0 < found["coverage"] <= hindsight_coverage(*fresh, target=0.8, single=False)


def test_a_label_that_is_often_wrong_does_not_mute_the_others() -> None:
    rng = np.random.default_rng(0)
    probabilities = np.full((400, 2), 0.95) + rng.random((400, 2)) * 0.04
    known = np.where(rng.random((400, 2)) < (0.97, 0.5), 1, -1).astype(np.int8)
    fold = np.arange(400) % 5
    made = choose_cuts(probabilities, known, fold, ("a", "b"), target=0.9, single=False)
    assert made.cuts[0] < 1
    assert made.cuts[1] == np.inf


def test_the_last_rows_are_not_taken_for_the_newest_issues() -> None:
    """What is scored lies repository by repository: a hard one at the end has not just turned."""
    probabilities = np.full((600, 1), 0.99)
    known = np.ones((600, 1), np.int8)
    known[-12:] = -1
    made = choose_cuts(probabilities, known, np.arange(600) % 5, ("a",), target=0.9, single=False)
    assert made.cuts[0] <= 0.99


def test_no_cut_where_evidence_is_short() -> None:
    sure, right = np.full((5, 1), 0.99), np.ones((5, 1), np.int8)
    made = choose_cuts(sure, right, np.arange(5), ("a",), target=0.9, single=False)
    assert made.cuts.tolist() == [np.inf]
    found = at_cuts(np.ones((3, 1)), np.ones((3, 1), np.int8), made, single=False)
    assert found["coverage"] == 0
    assert found["precision"] is None
    assert no_promise(0.9, 1).cuts.tolist() == [np.inf]


def test_single_label_data_offer_one_label_each() -> None:
    probabilities = np.array([[0.5, 0.45, 0.05]])
    known = np.array([[1, -1, -1]], dtype=np.int8)
    found = at_cuts(probabilities, known, Promise(0.9, np.full(3, 0.4)), single=True)
    assert found["right"] == 1
    assert found["wrong"] == 0

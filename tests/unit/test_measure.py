"""Precision, coverage and recall are counted on known pairs, and the unknown is shown."""

import numpy as np
import pytest

from bot.core.measure import Measure, measure, pooled

APPLIED = np.array([[True, False], [True, True], [False, False], [False, False]])
KNOWN = np.array([[1, -1], [-1, 0], [1, 0], [0, 0]], dtype=np.int8)


def test_rates_are_over_known_pairs() -> None:
    found = measure(APPLIED, KNOWN)
    assert (found.right, found.wrong, found.unknown) == (1, 1, 1)
    assert found.precision == pytest.approx(1 / 2)
    assert found.worst_case == pytest.approx(1 / 3)
    assert found.unknown_share == pytest.approx(1 / 3)


def test_coverage_counts_all_arriving_issues_and_recall_all_human_labels() -> None:
    found = measure(APPLIED, KNOWN)
    assert found.coverage == pytest.approx(2 / 4)
    assert found.label_recall == pytest.approx(1 / 2)


def test_nothing_applied_has_no_precision_rather_than_a_perfect_one() -> None:
    found = measure(np.zeros((3, 2), dtype=bool), np.zeros((3, 2), dtype=np.int8))
    assert found.precision is None
    assert found.label_recall is None
    assert found.coverage == 0


def test_pooling_adds_counts_not_rates() -> None:
    one = Measure(issues=10, covered=9, right=9, wrong=1, unknown=0, positives=10)
    other = Measure(issues=90, covered=1, right=0, wrong=1, unknown=0, positives=10)
    assert pooled([one, other]).precision == pytest.approx(9 / 11)
    assert pooled([one, other]).coverage == pytest.approx(0.1)


def test_as_dict_holds_counts_and_rates() -> None:
    assert measure(APPLIED, KNOWN).as_dict()["coverage"] == pytest.approx(0.5)

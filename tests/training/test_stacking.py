from __future__ import annotations

import numpy as np
import pytest

from training.scoring.stacking import cross_probabilities, fit_stack, fixed_stack


def drawn(n: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of a side that knows, one that shouts at random."""
    rng = np.random.default_rng(0)
    known = np.where(rng.random((n, labels)) < 0.4, 1, -1).astype(np.int8)
    sides = np.stack(
        [
            known * 1.5 + rng.normal(size=known.shape),
            rng.normal(size=known.shape) * 3,
        ]
    )
    return sides.astype(np.float32), known


def test_the_side_that_knows_is_believed() -> None:
    sides, known = drawn(600, 3)
    stack = fit_stack(sides, known)
    assert (stack.slopes[0] > 1).all()
    assert np.abs(stack.slopes[1]).max() < 0.2
    everywhere = np.ones(known.shape, dtype=bool)
    found = stack.probabilities(sides, allowed=everywhere, single=False)
    assert found.mean() == pytest.approx((known > 0).mean(), abs=0.02)
    assert ((found > 0.5) == (known > 0)).mean() > 0.9


def test_a_label_without_evidence_follows_the_others() -> None:
    sides, known = drawn(600, 2)
    known[:, 1] = 0
    stack = fit_stack(sides, known)
    assert np.allclose(stack.slopes[:, 1], stack.slopes[:, 0], atol=0.25)
    assert stack.slopes[0, 1] > 1


def test_single_label_probabilities_share_one_and_shut_labels_get_none() -> None:
    sides, _ = drawn(5, 3)
    allowed = np.ones((5, 3), dtype=bool)
    allowed[:, 2] = False
    found = fixed_stack(3).probabilities(sides, allowed=allowed, single=True)
    assert found.sum(axis=1) == pytest.approx(1)
    assert (found[:, 2] == 0).all()


def test_no_issue_helps_to_judge_itself() -> None:
    sides, known = drawn(60, 2)
    fold = np.arange(60) % 3
    everywhere = np.ones(known.shape, dtype=bool)
    found = cross_probabilities(sides, known, fold, allowed=everywhere, single=False)
    turned = known.copy()
    turned[fold == 1] *= -1  # changes what is said of the others, not of these
    again = cross_probabilities(sides, turned, fold, allowed=everywhere, single=False)
    assert np.array_equal(found[fold == 1], again[fold == 1])
    assert not np.allclose(found[fold == 0], again[fold == 0])


def test_on_noise_the_crossed_scores_promise_nothing() -> None:
    rng = np.random.default_rng(0)
    sides = (rng.normal(size=(2, 40, 8)) * 3).astype(np.float32)
    known = np.where(rng.random((40, 8)) < 0.5, 1, -1).astype(np.int8)
    everywhere = np.ones(known.shape, dtype=bool)
    own = fit_stack(sides, known).probabilities(sides, allowed=everywhere, single=False)
    crossed = cross_probabilities(sides, known, np.arange(40) % 5, allowed=everywhere, single=False)
    assert log_loss(crossed, known) > log_loss(own, known) + 0.01


def log_loss(found: np.ndarray, known: np.ndarray) -> float:
    return float(-np.log(np.where(known > 0, found, 1 - found)).mean())

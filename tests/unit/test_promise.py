"""From scores to cuts: who may apply, who is muted and why, and that luck does not open the door."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.classify.promise import Promise, Scored, make_promise, winners

LABELS = ("bug", "feature", "docs")
Truth = NDArray[np.float64]


def scored(
    truth: Truth, *, n: int = 600, labels: int = 3, seed: int = 0, sure: float = 0.3
) -> Scored:
    """Label j is sure of a share of the issues, and then right with probability `truth[j]`."""
    rng = np.random.default_rng(seed)
    confident = rng.random((n, labels)) < sure
    p = np.where(confident, rng.uniform(0.9, 1, (n, labels)), rng.uniform(0, 0.5, (n, labels)))
    right = np.where(confident, rng.random((n, labels)) < truth, rng.random((n, labels)) < 0.1)
    block = (np.arange(n) * 6 // n).astype(np.int32)
    return Scored(p, np.where(right, 1, -1).astype(np.int8), block)


def promise(found: Scored, *, history: NDArray[np.int8] | None = None, **more: object) -> Promise:
    labels = tuple(f"l{j}" for j in range(found.known.shape[1]))
    return make_promise(
        found,
        found.known if history is None else history,
        labels,
        exclusive=(),
        target=0.9,
        delta=0.05,
    )


def cuts(found: Promise) -> list[float | None]:
    return [cut.apply_at for cut in found.cuts]


def test_good_labels_get_a_cut_and_a_bad_one_is_muted_with_its_record() -> None:
    found = promise(scored(np.array([0.99, 0.98, 0.5])))
    assert cuts(found)[0] is not None
    assert cuts(found)[1] is not None
    assert cuts(found)[2] is None
    assert "surely below 90%" in found.cuts[2].why_muted
    assert list(found.expectation.muted) == ["l2"]


def test_the_expectation_is_what_was_applied() -> None:
    found = promise(scored(np.array([0.99, 0.98, 0.5]))).expectation
    assert found.n == 600
    assert found.precision == pytest.approx(0.985, abs=0.02)
    assert found.lower_bound is not None
    assert 0.9 <= found.lower_bound <= found.precision
    assert found.unknown_share == 0
    assert found.coverage == pytest.approx(0.5, abs=0.06)
    rows = found.labels
    assert sum(row.right for row in rows) + sum(row.missed for row in rows) == sum(
        row.positives for row in rows
    )


def test_without_proof_nothing_is_applied_and_all_are_told_why() -> None:
    found = promise(scored(np.array([0.88, 0.88, 0.88])))
    assert cuts(found) == [None, None, None]
    assert all(cut.why_muted for cut in found.cuts)
    assert any("does not prove 90%" in cut.why_muted for cut in found.cuts)
    assert found.expectation.precision is None
    assert found.expectation.coverage == 0


def test_no_scores_at_all() -> None:
    empty = Scored(np.zeros((0, 2)), np.zeros((0, 2), np.int8), np.zeros(0, np.int32))
    found = promise(empty)
    assert cuts(found) == [None, None]
    assert "little more than its name" in found.cuts[0].why_muted


def test_a_label_that_history_hardly_knows_is_never_applied() -> None:
    evidence = scored(np.full(3, 0.99))
    history = evidence.known.copy()
    history[:, 0] = 0
    history[:4, 0] = 1
    history[:, 1] = np.where(history[:, 1] < 0, 0, 1)
    found = promise(evidence, history=history)
    assert "4 of the 5 issues needed have it" in found.cuts[0].why_muted
    assert "hardly ever withheld" in found.cuts[1].why_muted
    assert [cut.zero_shot for cut in found.cuts] == [True, False, False]
    assert cuts(found)[2] is not None


def test_what_nobody_answered_cannot_be_applied() -> None:
    evidence = scored(np.full(3, 0.99))
    known = evidence.known.copy()
    known[np.arange(600) % 4 > 0, 0] = 0
    found = promise(Scored(evidence.probabilities, known, evidence.block), history=evidence.known)
    assert cuts(found)[0] is None
    assert "nobody can say" in found.cuts[0].why_muted
    assert cuts(found)[1] is not None


def turned(*, at: int, until: int = 600) -> Scored:
    """Good labels, of which a stretch of issues says otherwise."""
    found = scored(np.full(3, 0.98))
    known = found.known.copy()
    known[at:until] = -1
    return Scored(found.probabilities, known, found.block)


def test_where_labelling_turned_lately_nothing_is_applied_and_what_was_proved_is_held() -> None:
    found = promise(turned(at=580))
    assert cuts(found) == [None, None, None]
    assert "of the newest 25 known cases" in found.cuts[0].why_muted
    assert found.expectation.rank is not None
    assert found.expectation.coverage == 0


def test_a_stretch_that_is_over_is_left_to_the_whole_record() -> None:
    assert None not in cuts(promise(turned(at=530, until=550)))


def test_exclusive_groups_keep_their_likeliest() -> None:
    p = np.array([[0.6, 0.7, 0.9], [0.8, 0.7, 0.1]])
    kept = winners(p, LABELS, [["bug", "feature"], ["docs", "gone"]])
    assert kept.tolist() == [[False, True, True], [True, False, True]]
    assert winners(p[:0], LABELS, [["bug", "feature"]]).shape == (0, 3)


@pytest.mark.parametrize(
    "truth", [np.full(8, 0.893), np.array([0.93, 0.92, 0.89, 0.89, 0.88, 0.87, 0.85, 0.85])]
)
def test_the_promise_holds_though_labels_are_picked_by_their_record(truth: Truth) -> None:
    """Truth on average below the target: what is applied may be below it in 5% of repositories."""
    broken = 0
    for seed in range(150):
        evidence = scored(truth, n=300, labels=8, seed=seed, sure=0.15)
        at = np.array([np.inf if cut is None else cut for cut in cuts(promise(evidence))])
        applied = evidence.probabilities >= at
        broken += bool(applied.any() and (applied * truth).sum() / applied.sum() < 0.9)
    assert broken / 150 <= 0.05 + 2 * (0.05 * 0.95 / 150) ** 0.5

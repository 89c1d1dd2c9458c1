from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from bot.classify.logistic import Linear, Prior, fit_logistic
from training.scoring import hierarchy
from training.scoring.hierarchy import fit_hierarchy


def test_a_small_repository_follows_the_others_until_its_own_data_speak() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    repo = np.zeros(400, dtype=np.int64)
    repo[200:] = 1
    repo[-4:] = 2
    sign = np.where(repo == 1, features[:, 1], features[:, 0])  # 1 goes by another feature
    known = np.where(sign > 0, 1, -1).astype(np.int8)[:, None]
    fitted = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=10.0)
    probe = np.eye(3, dtype=np.float32)
    first, second, third, unknown = (
        fitted.logits(probe, np.full(3, index))[:, 0] for index in (0, 1, 2, -1)
    )
    assert first[0] > unknown[0] > second[0]
    assert second[1] > unknown[1] > first[1]
    assert np.array_equal(third, unknown)  # four issues are too few for a regression of its own
    assert np.allclose(unknown, fitted.shared.logits(probe)[:, 0])


def test_a_label_that_a_repository_never_answered_stays_with_the_others() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(100, 3)).astype(np.float32)
    repo = np.repeat([0, 1], 50)
    known = np.where(features[:, :2] > 0, 1, -1).astype(np.int8)
    known[repo == 1, 1] = 0
    fitted = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=1.0)
    assert [own.columns.tolist() for own in fitted.own] == [[0, 1], [0]]
    here = fitted.logits(features, np.ones(100, dtype=int))
    assert np.array_equal(here[:, 1], fitted.shared.logits(features)[:, 1])
    assert not np.allclose(here[:, 0], fitted.shared.logits(features)[:, 0])


def test_labels_fitted_in_groups_are_fitted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 4)).astype(np.float32)
    known = np.where(features @ rng.normal(size=(4, 5)) > 0, 1, -1).astype(np.int8)
    repo = np.full(80, -1)
    whole = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=1.0)
    monkeypatch.setattr(hierarchy, "TOGETHER", 2)
    grouped = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=1.0)
    assert np.allclose(whole.logits(features, repo), grouped.logits(features, repo), atol=0.05)


def sparse_drawn(labels: int) -> tuple[csr_matrix, np.ndarray, np.ndarray]:
    """Three repositories with words and labels of their own, one of which all of them have."""
    rng = np.random.default_rng(0)
    repo = np.repeat([0, 1, 2], 60)
    dense = (rng.random((180, 30)) < 0.2) * (np.arange(30) // 10 == repo[:, None])
    dense[:, 0] = rng.random(180) < 0.5
    known = np.where(rng.random((180, labels)) < 0.2 + 0.6 * dense[:, :1], 1, -1)
    known[(np.arange(labels) > 0) & (np.arange(labels) % 3 != repo[:, None])] = 0
    return csr_matrix(dense, dtype=np.float32), known.astype(np.int8), repo


def test_leaving_out_what_does_not_count_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchy, "TOGETHER", 2)
    features, known, repo = sparse_drawn(7)
    fitted = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=1.0)
    rates = np.log(((known > 0).sum(axis=0) + 0.5) / ((known < 0).sum(axis=0) + 0.5))
    flat = Linear(np.zeros((30, 7), np.float32), rates.astype(np.float32))
    shared = fit_logistic(features, known, Prior(flat.weights, flat.intercepts, np.ones(7, "f")))
    assert np.allclose(fitted.shared.weights, shared.weights, atol=0.02)
    for index in range(3):
        rows = repo == index
        prior = Prior(shared.weights, shared.intercepts, np.ones(7, "f"))
        own = fit_logistic(features[rows], known[rows], prior)
        found = fitted.logits(features[rows], repo[rows])
        assert np.allclose(found, own.logits(features[rows]), atol=0.05)


def test_workers_change_nothing_and_parts_are_told() -> None:
    features, known, repo = sparse_drawn(40)
    told: list[tuple[int, int]] = []
    alone, together = (
        fit_hierarchy(
            features, known, repo, penalty=1.0, own_penalty=1.0, workers=n, on_part=hear
        ).logits(features, repo)
        for n, hear in ((1, lambda done, total: told.append((done, total))), (3, None))
    )
    assert np.array_equal(alone, together)
    assert told == [(i + 1, len(told)) for i in range(len(told))]
    assert len(told) > 3


def test_own_regressions_stop_where_their_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    features, known, repo = sparse_drawn(7)
    one = len(np.unique(features[:60].indices)) * 3
    monkeypatch.setattr(hierarchy, "MOST_WEIGHTS", one + 5)
    fitted = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=1.0)
    assert {own.repo for own in fitted.own} == {0}

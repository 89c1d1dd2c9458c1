from __future__ import annotations

import numpy as np
import pytest

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

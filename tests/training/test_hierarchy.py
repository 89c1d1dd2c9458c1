from __future__ import annotations

import numpy as np

from training.hierarchy import fit_hierarchy


def test_a_small_repository_follows_the_others_until_its_own_data_speak() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 3)).astype(np.float32)
    repo = np.zeros(400, dtype=np.int64)
    repo[200:] = 1
    repo[-4:] = 2
    sign = np.where(repo == 1, features[:, 1], features[:, 0])  # 1 goes by another feature
    known = np.where(sign > 0, 1, -1).astype(np.int8)[:, None]
    fitted = fit_hierarchy(features, known, repo, penalty=1.0, own_penalty=10.0)
    first, second, third = (own.weights[:, 0] for own in fitted.own)
    shared = fitted.shared.weights[:, 0]
    assert first[0] > shared[0] > second[0]
    assert second[1] > shared[1] > first[1]
    assert np.abs(third - shared).max() < 0.2
    unknown = np.full(3, -1)
    probe = np.eye(3, dtype=np.float32)
    assert np.allclose(fitted.logits(probe, unknown), fitted.shared.logits(probe))
    assert np.allclose(fitted.logits(probe, np.ones(3, int)), fitted.own[1].logits(probe))


def test_a_repository_without_rows_has_the_shared_regression() -> None:
    features = np.eye(4, dtype=np.float32)
    known = np.array([[1], [1], [-1], [-1]], dtype=np.int8)
    fitted = fit_hierarchy(features, known, np.array([0, 0, 2, 2]), penalty=1, own_penalty=1)
    assert len(fitted.own) == 3
    assert fitted.own[1] is fitted.shared

from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy

from training.objectives import Batch
from training.objectives.classification import Classification
from training.objectives.contrastive import Contrastive, label_overlap


def batch(
    known: list[list[int]],
    *,
    vectors: torch.Tensor | None = None,
    logits: torch.Tensor | None = None,
) -> Batch:
    told = torch.tensor(known, dtype=torch.float32)
    return Batch(
        vectors=vectors if vectors is not None else torch.eye(len(known)),
        logits=logits if logits is not None else torch.zeros(told.shape),
        known=told,
        single=bool(((told > 0).sum(dim=1) == 1).all() and (told != 0).all()),
    )


PAIRS = [[1, -1], [1, -1], [-1, 1], [-1, 1]]


def test_contrastive_by_hand() -> None:
    angles = torch.tensor([0.0, 0.3, 1.2, 2.0])
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    got = Contrastive(0.5)(batch(PAIRS, vectors=vectors))
    expected = 0.0
    for i, partner in enumerate((1, 0, 3, 2)):
        others = [math.exp(math.cos(angles[i] - angles[j]) / 0.5) for j in range(4) if j != i]
        mine = math.exp(math.cos(angles[i] - angles[partner]) / 0.5)
        expected -= math.log(mine / sum(others)) / 4
    assert math.isclose(got.item(), expected, rel_tol=1e-5)


def test_contrastive_is_silent_without_a_partner() -> None:
    vectors = torch.eye(2, requires_grad=True)
    loss = Contrastive(0.1)(batch([[1, -1], [-1, 1]], vectors=vectors))
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_overlap_counts_only_what_is_known_of_both() -> None:
    known = torch.tensor([[1, 1, 0], [1, -1, 0], [0, 0, 1], [1, 1, 1]], dtype=torch.float32)
    overlap = label_overlap(known)
    assert overlap[0, 1].item() == 0.5
    assert overlap[0, 2].item() == 0
    assert overlap[0, 3].item() == 1
    assert torch.equal(overlap, overlap.T)


def test_classification_is_cross_entropy() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    got = Classification(0.0)(batch(PAIRS, logits=logits))
    assert torch.allclose(got, cross_entropy(logits, torch.tensor([0, 0, 1, 1])))
    smooth = Classification(0.2)(batch(PAIRS, logits=logits))
    expected = cross_entropy(logits, torch.tensor([0, 0, 1, 1]), label_smoothing=0.2)
    assert torch.allclose(smooth, expected)


def test_a_label_the_repository_does_not_use_gets_no_share() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    told = Batch(
        torch.eye(2), logits, torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]]), single=True
    )
    loss = Classification(0.1)(told)
    loss.backward()
    assert math.isclose(loss.item(), math.log(2), rel_tol=1e-5)
    assert logits.grad is not None
    assert logits.grad[:, 2].abs().max() == 0


def test_unknown_pairs_pull_nowhere() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    Classification(0.1)(batch([[1, 0, -1], [1, 1, 0]], logits=logits)).backward()
    assert logits.grad is not None
    assert (logits.grad == 0).tolist() == [[False, True, False], [False, False, True]]
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]

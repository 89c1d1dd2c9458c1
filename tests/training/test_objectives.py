from __future__ import annotations

import math

import torch
from torch.nn.functional import cross_entropy

from training.objectives import Batch
from training.objectives.balance import FixedBalance, LearnedBalance
from training.objectives.classification import LOUDER, MARGIN, Classification
from training.objectives.contrastive import Contrastive, label_overlap
from training.objectives.mlm import IGNORED, mask_tokens
from training.objectives.title_body import TEMPERATURE, title_body_loss


def batch(
    known: list[list[int]],
    *,
    vectors: torch.Tensor | None = None,
    logits: torch.Tensor | None = None,
    weight: list[list[float]] | None = None,
    repo: list[int] | None = None,
) -> Batch:
    told = torch.tensor(known, dtype=torch.float32)
    return Batch(
        vectors=vectors if vectors is not None else torch.eye(len(known)),
        logits=logits if logits is not None else torch.zeros(told.shape),
        known=told,
        single=bool(((told > 0).sum(dim=1) == 1).all() and (told != 0).all()),
        weight=None if weight is None else torch.tensor(weight),
        repo=None if repo is None else torch.tensor(repo),
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


def test_contrast_within_a_repository_does_not_see_the_others() -> None:
    angles = torch.tensor([0.0, 0.3, 1.2, 2.0, 0.1, 0.2])
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    six = batch([*PAIRS, [1, -1], [-1, 1]], vectors=vectors, repo=[0, 0, 0, 0, 1, 1])
    four = batch(PAIRS, vectors=vectors[:4])
    assert torch.allclose(Contrastive(0.5, "repository")(six), Contrastive(0.5)(four))
    assert not torch.allclose(Contrastive(0.5)(six), Contrastive(0.5)(four))


def test_an_issue_alone_in_its_repository_says_nothing() -> None:
    vectors = torch.eye(3, requires_grad=True)
    told = batch([[1, -1], [1, -1], [1, -1]], vectors=vectors, repo=[0, 1, 2])
    loss = Contrastive(0.1, "repository")(told)
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_a_pair_of_no_weight_pulls_nowhere_and_twice_the_weight_twice() -> None:
    logits = torch.zeros(2, 2, requires_grad=True)
    told = [[1, 1], [-1, -1]]
    Classification(0.0)(batch(told, logits=logits, weight=[[0, 1], [2, 1]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] == 0
    assert math.isclose(logits.grad[1, 0], 2 * logits.grad[1, 1])


def test_an_exclusive_issue_weighs_as_its_label_does() -> None:
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    heavy = Classification(0.0)(
        batch(PAIRS, logits=logits, weight=[[1, 1], [0, 1], [1, 0], [1, 2]])
    )
    each = cross_entropy(logits, torch.tensor([0, 0, 1, 1]), reduction="none")
    assert torch.allclose(heavy, (each[0] + 2 * each[3]) / 3)


def test_the_focal_loss_quiets_what_is_easy() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    told = batch([[1, -1, 0]], logits=logits)
    right = [1 / (1 + math.exp(-2.0)), 1 - 1 / (1 + math.exp(1.0))]
    expected = sum(-((1 - p) ** 2) * math.log(p) for p in right) / 2 * LOUDER
    got = Classification(0.0, "focal", 2.0)(told)
    assert math.isclose(got.item(), expected, rel_tol=1e-5)
    exclusive = Classification(0.0, "focal", 2.0)(batch([[1, -1]], logits=logits[:, :2]))
    p = 1 / (1 + math.exp(-3.0))
    assert math.isclose(exclusive.item(), -((1 - p) ** 2) * math.log(p), rel_tol=1e-5)


def test_the_asymmetric_loss_quiets_negatives_alone() -> None:
    logits = torch.tensor([[1.0, -4.0, 1.0, 5.0]])
    got = Classification(0.0, "asymmetric", 2.0)(batch([[1, -1, -1, 0]], logits=logits))
    p = 1 / (1 + math.exp(-1.0))
    # the second label's probability is .018, below the margin: it counts for nothing
    above = p - MARGIN
    expected = (-math.log(p) - above**2 * math.log(1 - above)) / 3 * LOUDER
    assert math.isclose(got.item(), expected, rel_tol=1e-5)


def test_learned_factors_begin_as_they_are_told_and_go_down_with_the_loss() -> None:
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(0.5), "c": torch.tensor(0.0)}
    factors = {"a": 1.0, "b": 3.0, "c": 1.0, "d": 0.0}
    fixed, learned = FixedBalance(factors), LearnedBalance(factors)
    assert math.isclose(fixed(losses).item(), 3.5)
    start = learned(losses)
    assert math.isclose(start.item(), 3.5 - math.log(3.0) / 2, rel_tol=1e-6)
    start.backward()
    gradients = {name: s.grad for name, s in learned.unsure.items()}
    assert math.isclose(gradients["a"], -2.0 + 0.5)  # a large loss: less sure, s must grow
    assert math.isclose(gradients["b"], -1.5 + 0.5, rel_tol=1e-6)
    assert gradients["c"] is None
    assert "d" not in learned.unsure


def test_masks_ask_a_share_of_the_tokens_and_never_the_ends() -> None:
    row = list(range(100, 140))
    asked = []
    for seed in range(50):
        ids, targets = mask_tokens(row, share=0.25, mask=7, words=100, seed=(seed,))
        places = [i for i, target in enumerate(targets) if target != IGNORED]
        assert len(places) == round(0.25 * 38)
        assert not {0, 39} & {*places}
        assert all(targets[i] == row[i] for i in places)
        assert all(ids[i] == row[i] for i in range(40) if i not in places)
        asked += [ids[i] for i in places]
    assert 0.7 < asked.count(7) / len(asked) < 0.9
    assert mask_tokens(row, share=0.25, mask=7, words=100, seed=(1,)) == mask_tokens(
        row, share=0.25, mask=7, words=100, seed=(1,)
    )


def test_a_title_finds_its_body() -> None:
    titles = torch.eye(3)
    assert title_body_loss(titles, titles).item() < 1e-6
    turned = title_body_loss(titles, titles.roll(1, dims=0))
    assert math.isclose(turned.item(), 1 / TEMPERATURE, rel_tol=1e-5)

"""Masked words: guess tokens of a text from the rest (Devlin et al. 2018, https://arxiv.org/abs/1810.04805).

Of the tokens to guess, 8 in 10 are masked, 1 is replaced by chance, 1 stays. Needs no label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu

IGNORED = -100


class WordGuesser(nn.Module):  # type: ignore[misc]
    """Logits over the vocabulary, read off the encoder's own word vectors; thrown away afterwards."""

    def __init__(self, words: torch.Tensor) -> None:
        super().__init__()
        self.dense = nn.Linear(words.shape[1], words.shape[1], device=words.device)
        self.norm = nn.LayerNorm(words.shape[1], device=words.device)
        self.bias = nn.Parameter(torch.zeros(len(words), device=words.device))

    def forward(self, hidden: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return self.norm(gelu(self.dense(hidden))) @ words.T + self.bias


def mask_tokens(
    row: Sequence[int], *, share: float, mask: int, words: int, seed: Sequence[int]
) -> tuple[list[int], list[int]]:
    """(ids, targets); targets are `IGNORED` where nothing is asked. First and last token are never
    asked, at least one other is."""
    rng = np.random.default_rng(seed)
    ids, targets = list(row), [IGNORED] * len(row)
    inside = max(len(row) - 2, 0)
    asked = rng.permutation(inside)[: max(round(share * inside), 1)] + 1
    for i in asked.tolist():
        targets[i] = row[i]
        chance = rng.random()
        if chance < 0.8:
            ids[i] = mask
        elif chance < 0.9:
            ids[i] = int(rng.integers(words))
    return ids, targets


def guess_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum over what is asked, not its mean: the ranks' sums are added up."""
    return cross_entropy(logits.float(), targets, reduction="sum")

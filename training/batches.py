"""Texts to padded batches of token ids: like lengths together, order fixed by a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from training.task import Ints

BUCKET = 6
"""Batches that are sorted by length together: more pads less, fewer mixes better."""

Tokens = list[list[int]]


def tokenise(tokenizer: Any, texts: Sequence[str], *, max_tokens: int) -> Tokens:
    """Token ids per text, special tokens included, cut at `max_tokens`."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]


def pad(tokens: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask) [n, longest]."""
    longest = max(map(len, tokens))
    ids = torch.zeros(len(tokens), longest, dtype=torch.long)
    mask = torch.zeros(len(tokens), longest, dtype=torch.long)
    for i, row in enumerate(tokens):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask


def epoch_batches(lengths: Sequence[int], *, size: int, seed: Sequence[int]) -> list[Ints]:
    """Row numbers of one epoch: each row once; all batches about `size` long."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(lengths))
    span = size * BUCKET
    by_length = np.asarray(lengths)
    order = np.concatenate(
        [
            chunk[np.argsort(by_length[chunk], kind="stable")]
            for chunk in np.split(rows, range(span, len(rows), span))
        ]
    )
    count = max(round(len(order) / size), 1)
    batches = np.array_split(order, count)
    return [batches[i] for i in rng.permutation(count)]


def repository_batches(
    lengths: Sequence[int], repo: Ints, *, size: int, repos: int, seed: Sequence[int]
) -> list[Ints]:
    """Row numbers of one epoch: each row once; a batch is made of pieces of one repository each, about
    as many as `repos`, of like length."""
    rng = np.random.default_rng(seed)
    piece = max(size // repos, 1)
    pieces: list[Ints] = []
    for number in np.unique(repo).tolist():
        rows = np.flatnonzero(repo == number).tolist()
        of_repo = epoch_batches([lengths[i] for i in rows], size=piece, seed=(*seed, number))
        pieces += [np.array(rows)[part] for part in of_repo]
    shuffled = rng.permutation(len(pieces)).tolist()
    span = repos * BUCKET
    order: list[int] = []
    for start in range(0, len(shuffled), span):
        chunk = shuffled[start : start + span]
        order += sorted(chunk, key=lambda i: max(lengths[row] for row in pieces[i]))
    groups = [order[i : i + repos] for i in range(0, len(order), repos)]
    return [
        np.concatenate([pieces[i] for i in groups[number]])
        for number in rng.permutation(len(groups))
    ]


def by_length(lengths: Sequence[int], *, size: int) -> Iterator[Ints]:
    """Row numbers for inference, longest first, so that running out of memory shows at once."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    yield from (order[i : i + size] for i in range(0, len(order), size))

"""The days of a replay: on each, the head that learned from all before it, and what it says of what arrives.

Sides are fitted on all human labels; nothing is calibrated or cut here. Steps are kept in the cache, by name.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.precision import Encode
from bot.classify.folds import forward_blocks, repeats
from bot.classify.history import History
from bot.classify.sides import EVIDENCE, Sides, author_marks, fit_sides
from bot.classify.words import count_words
from bot.core.evidence import known_pairs
from bot.core.families import families_of, infer_exclusive
from bot.core.label_text import label_text
from bot.core.rules import Rules, learnable
from bot.core.text import issue_text
from bot.core.types import LabelSpec
from bot.issues_file import FiledIssue


@dataclass(frozen=True)
class Step:
    """The head of one day: what it was chosen on, and the evidence on the issues start..stop after it."""

    names: tuple[str, ...]
    exclusive: tuple[tuple[str, ...], ...]
    known: NDArray[np.int8]
    evidence: NDArray[np.float32]
    rows: NDArray[np.int_]
    start: int
    stop: int
    arriving: NDArray[np.float32]


def kept_steps(cache: Path | None, name: str, make: Callable[[], list[Step]]) -> list[Step]:
    """The steps, from the cache where they are: our own file, of this machine."""
    if cache is None:
        return make()
    path = cache / f"steps-{hashlib.sha256(name.encode()).hexdigest()[:16]}.pickle"
    if not path.exists():
        path.write_bytes(pickle.dumps(make()))
    kept: list[Step] = pickle.loads(path.read_bytes())
    return kept


def make_steps(
    issues: Sequence[FiledIssue], encode: Encode, share: float, count: int
) -> list[Step]:
    texts = [issue_text(issue.title, issue.body) for issue in issues]
    vectors = encode([text.joined for text in texts])
    counts = count_words(texts, extra=author_marks([issue.association for issue in issues]))
    bounds = np.linspace(int(share * len(issues)), len(issues), count + 1).round().astype(int)
    found: list[Step] = []
    for start, stop in pairwise(bounds):
        past = [issue.labels for issue in issues[:start]]
        names = [n for n in sorted({x for s in past for x in s}) if learnable(n, Rules())]
        exclusive = infer_exclusive(past, names)
        known = known_pairs([issue.labels for issue in issues], names, exclusive=exclusive)
        families = list(families_of(names).values())
        fit = partial(
            fit_sides,
            names=names,
            label_vectors=encode([label_text(LabelSpec(name)) for name in names]),
            family=np.array([families.index(family) for family in families], dtype=np.int32),
            weights=None,
        )
        history = History(
            texts[:start], vectors[:start], known[:start], np.arange(start, dtype=float)
        )
        evidence, rows, last = _chained(history, counts[:start], fit)
        head = fit(vectors[:start], counts[:start], known[:start], start=last)
        arriving = head.evidence_of(vectors[start:], counts[start:])
        found.append(
            Step(tuple(names), exclusive, known, evidence, rows, int(start), int(stop),
                 arriving if not found else arriving[:, : stop - start])
        )  # fmt: skip
    return found


def _chained(
    history: History, counts: Any, fit: Callable[..., Sides]
) -> tuple[NDArray[np.float32], NDArray[np.int_], Sides | None]:
    """Evidence on past issues by the heads of their days, as `bot.classify.head` makes it."""
    fresh, sides = ~repeats(history.vectors, counts), None
    evidence = [np.zeros((len(EVIDENCE), 0, history.known.shape[1]), np.float32)]
    rows = [np.zeros(0, dtype=np.int_)]
    for past, now in forward_blocks(history.informed):
        rows.append(np.arange(now.start, now.stop)[fresh[now]])
        sides = fit(history.vectors[past], counts[past], history.known[past], start=sides)
        evidence.append(sides.evidence_of(history.vectors[rows[-1]], counts[rows[-1]]))
    return np.concatenate(evidence, axis=1), np.concatenate(rows), sides

"""AEDA: punctuation marks between the words, nothing else.

Karimi, Rossi and Prati 2021, https://aclanthology.org/2021.findings-emnlp.234: between one and a third
of the words' number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.core.types import IssueText
from training.augment.prose import rewrite_prose

MARKS = (".", ";", "?", ":", "!", ",")


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """At most `share` marks for each word of a line."""

    share: float = 1 / 3

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        random = np.random.default_rng(list(seed))

        def rewrite(words: Sequence[str]) -> Sequence[str]:
            marked = list(words)
            most = max(1, int(self.share * len(words)))
            for _ in range(int(random.integers(1, most + 1))):
                mark = MARKS[int(random.integers(len(MARKS)))]
                marked.insert(int(random.integers(len(marked) + 1)), mark)
            return marked

        return rewrite_prose(text, rewrite)

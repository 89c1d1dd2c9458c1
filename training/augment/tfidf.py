"""Words that say little are replaced by others that say little; what an issue is about stays.

Xie et al. 2020 (UDA), https://arxiv.org/abs/1904.12848, appendix B: the chance of a word to go falls with
its TF-IDF in the text, the chance of a word to come in with its TF-IDF in the collection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.types import IssueText
from training.augment.prose import WORD, blocks, is_code, rewrite_prose

VOCABULARY = 2000
"""Words that may come in: the most frequent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Replacement:
    """`share`: the mean chance of a word to be replaced."""

    idf: Mapping[str, float]
    rarest: float
    words: tuple[str, ...]
    chances: NDArray[np.float64]
    share: float = 0.2

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        random = np.random.default_rng(list(seed))
        counts = Counter(_words(text))
        weight = {word: n * self.idf.get(word, self.rarest) for word, n in counts.items()}
        most = max(weight.values(), default=0.0)
        mean = sum(n * (most - weight[word]) for word, n in counts.items()) / max(1, counts.total())

        def rewrite(words: Sequence[str]) -> Sequence[str]:
            return [self._maybe(word, weight, most, mean, random) for word in words]

        return rewrite_prose(text, rewrite) if self.words and mean > 0 else text

    def _maybe(
        self,
        word: str,
        weight: Mapping[str, float],
        most: float,
        mean: float,
        random: np.random.Generator,
    ) -> str:
        chance = self.share * (most - weight.get(word.lower(), most)) / mean
        if is_code(word) or random.random() >= chance:
            return word
        return self.words[int(random.choice(len(self.words), p=self.chances))]


def fit_replacement(texts: Sequence[IssueText]) -> Replacement:
    """Learns from a collection which words say little."""
    told = [_words(text) for text in texts]
    documents = Counter(word for words in told for word in set(words))
    total = Counter(word for words in told for word in words)
    idf = {word: float(np.log(len(texts) / n)) for word, n in documents.items()}
    words = tuple(word for word, _ in total.most_common(VOCABULARY) if word.isalpha())
    score = np.array([total[word] * idf[word] for word in words])
    low = score.max(initial=0.0) - score
    chances = low / low.sum() if low.sum() > 0 else np.full(len(words), 1 / max(1, len(words)))
    return Replacement(idf, float(np.log(max(1, len(texts)))), words, chances)


def _words(text: IssueText) -> list[str]:
    """Lower-case words of the title and the prose."""
    prose = [line for block in blocks(text.body) if not block.code for line in block.lines]
    return [
        word.lower()
        for line in (text.title, *prose)
        for word in WORD.findall(line)
        if not is_code(word)
    ]

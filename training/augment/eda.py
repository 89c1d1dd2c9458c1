"""EDA: a few words replaced by synonyms, inserted, swapped or left out.

Wei and Zou 2019, https://aclanthology.org/D19-1670 (their alpha is `share`). Synonyms are those of issue
trackers, our own list: a general thesaurus makes a `shell` of a `command`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.core.types import IssueText
from training.augment.prose import is_code, rewrite_prose

GROUPS = (
    "crash abort die",
    "crashes aborts dies",
    "fail break",
    "fails breaks",
    "failed broke",
    "fix repair mend",
    "error failure fault",
    "errors failures faults",
    "wrong incorrect bad",
    "missing absent lacking",
    "add introduce include",
    "remove drop delete",
    "allow permit let",
    "support handle",
    "supports handles",
    "slow sluggish laggy",
    "fast quick speedy",
    "hang freeze stall",
    "hangs freezes stalls",
    "docs documentation manual",
    "example sample snippet",
    "option setting flag",
    "options settings flags",
    "update upgrade",
    "updating upgrading",
    "install set-up",
    "expected intended supposed",
    "actual observed real",
    "show display print",
    "shows displays prints",
    "unable cannot",
    "use employ apply",
    "using with",
    "when while whenever",
    "problem issue trouble",
    "weird odd strange",
    "method function routine",
    "argument parameter",
    "arguments parameters",
    "old outdated stale",
    "new fresh recent",
    "big large huge",
    "small little tiny",
    "start launch run",
    "stop halt quit",
    "return yield give",
    "returns yields gives",
    "improve enhance better",
    "feature capability",
    "question doubt",
    "seems appears looks",
    "always constantly",
    "sometimes occasionally",
    "immediately instantly",
)
SYNONYMS = {
    word: tuple(other for other in group.split() if other != word)
    for group in GROUPS
    for word in group.split()
}


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """One of the four changes, drawn by the seed, on `share` of the words of each line (one at least)."""

    share: float = 0.1

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        random = np.random.default_rng(list(seed))
        change = (replaced, inserted, swapped, left_out)[random.integers(4)]

        def rewrite(words: Sequence[str]) -> Sequence[str]:
            return change(list(words), max(1, round(self.share * len(words))), random)

        return rewrite_prose(text, rewrite)


def replaced(words: list[str], count: int, random: np.random.Generator) -> list[str]:
    """So many words that have synonyms, by one of them."""
    known = [i for i, word in enumerate(words) if word.lower() in SYNONYMS]
    for i in random.permutation(known)[:count]:
        words[int(i)] = _synonym(words[int(i)], random)
    return words


def inserted(words: list[str], count: int, random: np.random.Generator) -> list[str]:
    """Synonyms of so many words, anywhere."""
    known = [word for word in words if word.lower() in SYNONYMS]
    for _ in range(count if known else 0):
        word = known[int(random.integers(len(known)))]
        words.insert(int(random.integers(len(words) + 1)), _synonym(word, random))
    return words


def swapped(words: list[str], count: int, random: np.random.Generator) -> list[str]:
    """So many pairs of words change places."""
    for _ in range(count):
        i, j = (int(x) for x in random.integers(len(words), size=2))
        words[i], words[j] = words[j], words[i]
    return words


def left_out(words: list[str], count: int, random: np.random.Generator) -> list[str]:
    """So many words go, but never code, and never all."""
    prose = [i for i, word in enumerate(words) if not is_code(word)]
    gone = {int(i) for i in random.permutation(prose)[: min(count, len(words) - 1)]}
    return [word for i, word in enumerate(words) if i not in gone]


def _synonym(word: str, random: np.random.Generator) -> str:
    others = SYNONYMS[word.lower()]
    return others[int(random.integers(len(others)))]

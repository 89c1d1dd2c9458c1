"""What the name of a label says before any issue does: an issue that has its words leans to the label.

The prior of the word side, as the zero-shot direction is that of the encoder. What labels beside it share
at the front (`area`, `kind`, `module`) says nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

NAME_WEIGHT = 2.0
"""Of a word of the name, before any issue spoke."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BETWEEN = re.compile(r"[^\w+#]+")


def name_words(labels: Sequence[str]) -> list[frozenset[str]]:
    """Per label the words to look for: `module:linear_model` -> `linear_model`, `linear model`, ..."""
    split = [_split(label) for label in labels]
    fronts = Counter(words[0] for words in split if len(words) > 1)
    own = [words[1:] if len(words) > 1 and fronts[words[0]] > 1 else words for words in split]
    return [frozenset(_forms(words)) for words in own]


def _split(label: str) -> list[str]:
    words = _BETWEEN.split(_HUMP.sub(" ", label).lower())
    return [word for word in words if len(word) > 1]


def _forms(words: Sequence[str]) -> Iterator[str]:
    """Each word, in singular and plural, and all of them together."""
    yield " ".join(words)
    for word in words:
        yield word
        yield word.replace("_", " ")
        yield word[:-1] if word.endswith("s") else f"{word}s"

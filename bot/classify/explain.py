"""Which words of an issue spoke for a label: a guess by the linear word side, then checked by leaving
each word out of the text and scoring again (occlusion, Zeiler & Fergus 2014).

Cheap on purpose: a dozen short texts are encoded at most. Refuses to say more than it checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from bot.classify.head import Head
from bot.classify.sides import EVIDENCE, author_marks
from bot.classify.words import count_words, name_features, weigh_words
from bot.core.types import IssueText

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Joined issue texts -> vectors [n, d] of the encoder that the head was fitted on."""

MOST_WORDS = 4
CANDIDATES = 10
"""Words that are left out in turn; each costs one encoding."""
WORTH_TELLING = 0.1
"""Fall of the log-odds without the word; less is chance."""
_TITLE_WORD = re.compile(r"[^\W\d_][\w+#]{2,}")


def telling_words(
    head: Head, text: IssueText, label: str, *, association: str, encode: Encode | None = None
) -> tuple[str, ...]:
    """The words without which the label would have scored lowest, strongest first; () for none.

    Without `encode` (the head belongs to another encoder) it is the word side's own linear view.
    Raises KeyError for a label that the head does not have.
    """
    if label not in head.labels:
        raise KeyError(label)
    weights = word_contributions(head, text, label, association=association)
    strong = sorted((word for word in weights if weights[word] > 0), key=lambda w: -weights[w])
    if encode is None:
        return tuple(strong[:MOST_WORDS])
    title = dict.fromkeys(_TITLE_WORD.findall(text.title.lower()))
    candidates = list(dict.fromkeys([*strong[: CANDIDATES // 2], *title]))[:CANDIDATES]
    falls = _falls(head, text, label, candidates, association=association, encode=encode)
    told = sorted(
        (word for word in candidates if falls[word] > WORTH_TELLING), key=lambda w: -falls[w]
    )
    return _without_parts(told)[:MOST_WORDS]


def word_contributions(
    head: Head, text: IssueText, label: str, *, association: str
) -> dict[str, float]:
    """Word, pair or heading -> what it adds to the label's log-odds through the word side."""
    column = head.labels.index(label)
    slope = float(head.combiner.coefficients[column, EVIDENCE.index("words")])
    counts = count_words([text], extra=author_marks([association]))
    row = weigh_words(counts, head.sides.vocabulary)
    names = name_features(text)
    found: dict[str, float] = {}
    for place, value in zip(row.indices, row.data, strict=True):
        name = names.get(int(head.sides.vocabulary.ids[place]))
        if name is not None:
            share = slope * float(value) * float(head.sides.words.weights[place, column])
            found[name] = found.get(name, 0.0) + share
    return found


def _falls(
    head: Head,
    text: IssueText,
    label: str,
    candidates: Sequence[str],
    *,
    association: str,
    encode: Encode,
) -> dict[str, float]:
    """Word -> how far the label's log-odds fall without it."""
    texts = [text, *(_without(text, word) for word in candidates)]
    vectors = encode([one.joined for one in texts])
    found = head.probabilities(texts, vectors, [association] * len(texts))
    scores = logit(np.clip(found[:, head.labels.index(label)], 1e-9, 1 - 1e-9))
    return {word: float(scores[0] - scores[n]) for n, word in enumerate(candidates, start=1)}


def _without(text: IssueText, word: str) -> IssueText:
    spelled = r"\W+".join(map(re.escape, word.split()))
    pattern = re.compile(rf"(?<!\w){spelled}(?!\w)", re.IGNORECASE)
    return IssueText(pattern.sub("", text.title), pattern.sub("", text.body))


def _without_parts(words: Sequence[str]) -> tuple[str, ...]:
    """A pair of words says what its parts say."""
    kept: list[str] = []
    for word in words:
        if not any(set(word.split()) & set(other.split()) for other in kept):
            kept.append(word)
    return tuple(kept)

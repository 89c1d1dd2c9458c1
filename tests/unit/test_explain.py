"""The words that are named are those that the label rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.classify.explain import telling_words, word_contributions
from bot.classify.head import Head
from bot.classify.words import count_words, name_features
from bot.core.types import IssueText
from tests.unit.test_head import LABELS, NAMES, WORDS, fit, repository

CRASH = IssueText("crash when saving rows", "there is a traceback\n## Steps\nand then a crash")


@pytest.fixture(scope="module")
def head() -> Head:
    return fit(repository(400))


def by_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that point to each label by how many of its words a text holds."""
    counts = [[sum(text.count(word) for word in words) for words in WORDS] for text in texts]
    vectors = np.array(counts, np.float32) @ NAMES + 1e-3
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_every_feature_of_a_text_has_its_name() -> None:
    named = name_features(CRASH)
    assert set(count_words([CRASH]).indices) <= named.keys()
    assert {"crash", "traceback", "crash when", "steps"} <= set(named.values())


def test_the_linear_view_names_the_words_of_the_label(head: Head) -> None:
    found = word_contributions(head, CRASH, "bug", association="NONE")
    assert max(found, key=found.__getitem__) in ("crash", "traceback")
    told = telling_words(head, CRASH, "bug", association="NONE")
    assert set(told[:2]) == {"crash", "traceback"}


def test_occlusion_names_what_the_score_rests_on(head: Head) -> None:
    told = telling_words(head, CRASH, "bug", association="NONE", encode=by_words)
    assert told[0] in ("crash", "traceback")
    assert telling_words(head, CRASH, "area/db", association="NONE", encode=by_words)[0] == "rows"


def test_words_that_change_nothing_are_not_named(head: Head) -> None:
    dull = IssueText("hello there my friends", "")
    assert telling_words(head, dull, "bug", association="NONE", encode=by_words) == ()


def test_few_texts_are_encoded(head: Head) -> None:
    sizes: list[int] = []

    def counted(texts: Sequence[str]) -> NDArray[np.float32]:
        sizes.append(len(texts))
        return by_words(texts)

    long = IssueText(" ".join(f"word{n}" for n in range(200)), "crash " * 500)
    telling_words(head, long, "bug", association="NONE", encode=counted)
    assert len(sizes) == 1
    assert sizes[0] <= 11


def test_a_strange_label_is_refused(head: Head) -> None:
    assert "nope" not in LABELS
    with pytest.raises(KeyError):
        telling_words(head, CRASH, "nope", association="NONE")

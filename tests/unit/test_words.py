"""Word features: stable, bounded, and blind to words that one issue alone has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.classify.words import (
    BLOCK_WEIGHTS,
    IDS,
    MAX_WORDS,
    count_words,
    learn_vocabulary,
    weigh_words,
)
from bot.core.types import IssueText

TEXTS = [
    IssueText("[Docs]: typo in the guide", "# Steps\nopen the page"),
    IssueText("crash when the page opens", "# Steps\nopen it twice"),
    IssueText("typo in docs", ""),
]


def test_the_same_text_has_the_same_features() -> None:
    once, twice = count_words(TEXTS), count_words(list(TEXTS))
    assert (once != twice).nnz == 0
    assert once.shape == (3, IDS)


def test_features_do_not_depend_on_the_neighbours() -> None:
    alone = count_words(TEXTS[1:2])
    assert (alone != count_words(TEXTS)[1:2]).nnz == 0


def test_word_order_in_the_title_tells() -> None:
    ab, ba = count_words([IssueText("not a bug", ""), IssueText("a bug not", "")])
    assert (ab != ba).nnz > 0


def test_a_word_of_the_title_counts_apart_from_the_body() -> None:
    title, body = count_words([IssueText("docs", ""), IssueText("", "docs")])
    assert title.nnz > body.nnz
    assert set(body.indices) < set(title.indices)


def test_a_mark_is_one_more_feature_and_an_empty_one_none() -> None:
    plain = count_words(TEXTS[:2])
    marked = count_words(TEXTS[:2], extra=["insider", ""])
    assert np.diff(marked.indptr).tolist() == [
        n + m for n, m in zip(np.diff(plain.indptr), (1, 0), strict=True)
    ]


def test_what_one_issue_alone_says_is_not_learnt() -> None:
    counts = count_words(TEXTS)
    vocabulary = learn_vocabulary(counts)
    issues = np.asarray((counts > 0).sum(axis=0)).ravel()
    assert set(vocabulary.ids) == set(np.flatnonzero(issues >= 2))
    assert (np.diff(vocabulary.ids) > 0).all()


def test_the_vocabulary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.classify.words.MAX_FEATURES", 3)
    assert len(learn_vocabulary(count_words(TEXTS * 2)).ids) <= 3


def test_long_bodies_are_cut() -> None:
    long = IssueText("t", "word " * MAX_WORDS + "tail")
    assert (count_words([long])[:, count_words([IssueText("", "tail")]).indices]).nnz == 0


def test_blocks_have_their_lengths() -> None:
    counts = count_words([*TEXTS, *TEXTS])
    weighed = weigh_words(counts, learn_vocabulary(counts))
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    full = np.sqrt(sum(weight**2 for weight in BLOCK_WEIGHTS))
    assert lengths[:2] == pytest.approx(full)
    assert lengths[2] == pytest.approx(np.hypot(*BLOCK_WEIGHTS[:2]))


def test_nothing_known_gives_empty_rows() -> None:
    vocabulary = learn_vocabulary(count_words([]))
    assert weigh_words(count_words(TEXTS), vocabulary).shape == (3, 0)
    learnt = learn_vocabulary(count_words(TEXTS))
    strange = weigh_words(count_words([IssueText("", ""), IssueText("zebra", "")]), learnt)
    assert strange.shape == (2, len(learnt.ids))
    assert strange.nnz == 0


@given(st.lists(st.builds(IssueText, st.text(max_size=80), st.text(max_size=200)), max_size=5))
def test_any_text_is_counted(texts: list[IssueText]) -> None:
    counts = count_words(texts)
    assert counts.shape[0] == len(texts)
    assert np.isfinite(weigh_words(counts, learn_vocabulary(counts)).data).all()

"""What the name of a label says of issues that nobody labelled yet."""

from __future__ import annotations

import numpy as np

from bot.classify.names import NAME_WEIGHT, name_words
from bot.classify.sides import said_by_names
from bot.classify.words import count_words, learn_vocabulary, weigh_words
from bot.core.types import IssueText


def test_a_name_is_looked_for_in_the_forms_that_issues_use() -> None:
    labels = ["module:linear_model", "module:docs", "DevTools", "Build / CI", "bug"]
    linear, docs, tools, build, bug = name_words(labels)
    assert {"linear_model", "linear model"} <= linear
    assert {"docs", "doc"} <= docs
    assert {"dev", "tools", "dev tools"} <= tools
    assert {"build", "ci", "build ci"} <= build
    assert bug == {"bug", "bugs"}


def test_what_siblings_share_at_the_front_is_not_looked_for() -> None:
    (network, node, alone) = name_words(["sig/network", "sig/node", "area/kubectl"])
    assert "sig" not in network | node
    assert "area" in alone  # no sibling says that it is no more than a front


def test_an_issue_leans_to_the_label_whose_name_it_has() -> None:
    texts = [
        IssueText("The linear model fails", "It is slow"),
        IssueText("Crash", "docs are slow"),
    ] * 2
    counts = count_words(texts)
    vocabulary = learn_vocabulary(counts)
    said = said_by_names(vocabulary, ["module:linear_model", "module:docs", ":+1:"])
    assert set(np.unique(said)) == {0.0, np.float32(NAME_WEIGHT)}
    leaning = weigh_words(counts, vocabulary) @ said
    assert leaning[0, 0] > 0 == leaning[0, 1]
    assert leaning[1, 1] > 0 == leaning[1, 0]
    assert not leaning[:, 2].any()

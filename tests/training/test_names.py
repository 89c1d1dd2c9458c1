from __future__ import annotations

import numpy as np

from bot.core.types import IssueText
from training.data import FiledIssue
from training.scoring.names import name_words, named_features
from training.scoring.words import fit_words
from training.task import make_task


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


def test_features_of_no_name_and_names_without_a_word_are_left_alone() -> None:
    vocabulary = {"slow": 0, "bug": 1, "bug report": 2}
    assert list(named_features(vocabulary, ["bug", ":+1:", ""])) == [(1, 0)]


def test_an_issue_leans_to_the_label_whose_name_it_has() -> None:
    """No issue to learn from has the words, so that all that can tell is the name."""

    def issue(body: str, *labels: str) -> FiledIssue:
        return FiledIssue("r", IssueText("same title", body), frozenset(labels))

    learned = [issue("text", "area/kubectl"), issue("text", "area/kubelet")] * 6
    told = [issue("kubectl kubelet text", "area/kubectl", "area/kubelet")] * 2
    task = make_task([*learned, *told], min_count=2)
    asked = [issue("kubectl text"), issue("kubelet text")]
    found = fit_words(task).log_odds(asked, np.array([0, 0]))
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]

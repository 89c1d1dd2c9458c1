"""A label's name as the prior of the words that `score` learns."""

from __future__ import annotations

import numpy as np

from bot.core.types import IssueText
from training.data import FiledIssue
from training.scoring.words import fit_words
from training.task import make_task


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

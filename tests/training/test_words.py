from __future__ import annotations

import numpy as np
import pytest

from bot.core.types import IssueText
from tests.training.tiny import filed, make_rows
from training.data import FiledIssue
from training.scoring import words
from training.scoring.words import fit_words
from training.task import make_task


def test_words_tell_labels_of_unseen_issues() -> None:
    task = make_task(filed(make_rows(120, repos=("a", "b"))))
    fresh = make_task(filed(make_rows(60, repos=("a", "b"), seed=5)))
    found = fit_words(task).log_odds(fresh.issues, fresh.repo)
    assert (found.argmax(axis=1) == fresh.known.argmax(axis=1)).mean() > 0.9


def test_word_pairs_and_headings_count() -> None:
    def issue(label: str, body: str) -> FiledIssue:
        return FiledIssue("r", IssueText("same title", body), frozenset([label]))

    pairs = [issue("x", "not slow but big"), issue("y", "slow but not big")] * 10
    heads = [issue("x", "# Steps\nwords"), issue("y", "words\n# Idea")] * 10
    for issues in (pairs, heads):
        task = make_task(issues)
        found = fit_words(task).log_odds(task.issues, task.repo)
        assert (found.argmax(axis=1) == task.known.argmax(axis=1)).all()


def test_texts_without_a_word_in_common_give_the_base_rate() -> None:
    issues = [FiledIssue("r", IssueText("", ""), frozenset([x])) for x in ("a", "a", "a", "b")]
    task = make_task(issues, labels=("a", "b"))
    found = fit_words(task).log_odds(task.issues, task.repo)
    assert np.allclose(found, found[0])
    assert found[0, 0] > 0 > found[0, 1]


def test_scoring_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(filed(make_rows(60, repos=("a", "b"))))
    side = fit_words(task)
    whole = side.log_odds(task.issues, task.repo)
    monkeypatch.setattr(words, "AT_ONCE", 7)
    assert np.allclose(side.log_odds(task.issues, task.repo), whole, atol=1e-5)


def test_the_more_labels_the_fewer_features(monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(filed(make_rows(60)))
    monkeypatch.setattr(words, "MOST_WEIGHTS", 240)
    weights = fit_words(task).regression.shared.weights
    assert weights.shape[1] == 3
    assert weights.size <= 240 + 3  # one feature that is always nought

from __future__ import annotations

import numpy as np
import pytest

from bot.core.types import IssueText
from bot.errors import UserError
from tests.training.tiny import filed, make_rows
from training.data import FiledIssue
from training.scoring.folds import stratified_folds
from training.task import draw_shots, make_task


def issue(repo: str, *labels: str) -> FiledIssue:
    return FiledIssue(repo, IssueText("t", "b"), frozenset(labels))


def test_one_label_each_is_single_label_and_knows_all() -> None:
    task = make_task(filed(make_rows(12)))
    assert task.space.single
    assert task.space.labels == ("bug", "feature", "question")
    assert (task.known != 0).all()
    assert ((task.known > 0).sum(axis=1) == 1).all()


def test_unlabelled_issues_teach_nothing() -> None:
    task = make_task([*filed(make_rows(12)), issue("a/one")])
    assert len(task.issues) == 12


def test_multi_label_knows_only_the_family_that_was_answered() -> None:
    issues = [issue("r", "kind/bug", "area/x"), issue("r", "kind/feature", "area/y")] * 3
    issues.append(issue("r", "kind/bug"))
    task = make_task(issues, min_count=1)
    assert not task.space.single
    row = dict(zip(task.space.labels, task.known[-1].tolist(), strict=True))
    assert row == {"kind/bug": 1, "kind/feature": -1, "area/x": 0, "area/y": 0}


def test_a_rare_sibling_is_evidence_though_it_is_not_learned() -> None:
    issues = [issue("r", "kind/bug", "area/x"), issue("r", "kind/feature", "area/x")] * 3
    issues.append(issue("r", "kind/rare", "area/x"))
    task = make_task(issues, min_count=2)
    assert "kind/rare" not in task.space.labels
    row = dict(zip(task.space.labels, task.known[-1].tolist(), strict=True))
    assert row["kind/bug"] == row["kind/feature"] == -1


def test_what_another_repository_calls_its_issues_is_unknown_here() -> None:
    issues = [issue("a", "bug", "x"), issue("a", "docs")] * 3 + [
        issue("b", "bug"),
        issue("b", "y"),
    ] * 3
    task = make_task(issues, min_count=1)
    columns = [task.space.labels.index(name) for name in ("docs", "x")]
    assert (task.known[task.repo == 1][:, columns] == 0).all()
    assert not task.space.allowed(np.array([1]))[0, columns].any()
    assert task.space.allowed(np.array([-1])).all()
    assert task.only("b").space.labels == ("bug", "y")


def test_process_labels_are_left_out_unless_asked_for() -> None:
    issues = [issue("r", "bug", "stale"), issue("r", "docs"), issue("r", "docs", "stale")] * 8
    assert make_task(issues, min_count=1).space.labels == ("bug", "docs")
    assert make_task(issues, labels=("bug", "stale")).space.labels == ("bug", "stale")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("bgu", "feature"), "'bgu'. Did you mean 'bug'"),
        (("bug",), "One class, 'bug'"),
        (("bug", "bug"), "One class, 'bug'"),
    ],
)
def test_labels_that_cannot_be_learned(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_task(filed(make_rows(12)), labels=labels)


def test_one_class_and_no_labels() -> None:
    with pytest.raises(UserError, match="two are needed"):
        make_task([issue("r", "bug")] * 5)
    with pytest.raises(UserError, match="lower --min-count"):
        make_task(filed(make_rows(12)), min_count=100)
    with pytest.raises(UserError, match="No issue of the training file has a label"):
        make_task([issue("r"), issue("r", "stale")])


def test_shots_are_counted_per_label_and_repository() -> None:
    task = make_task(filed(make_rows(120, repos=("a", "b"))))
    drawn = draw_shots(task, 4, seed=0)
    assert len(drawn.issues) == 4 * 3 * 2
    for repo in (0, 1):
        assert ((drawn.known[drawn.repo == repo] > 0).sum(axis=0) == 4).all()
    again, other = draw_shots(task, 4, seed=0), draw_shots(task, 4, seed=1)
    assert drawn.issues == again.issues
    assert drawn.issues != other.issues


def test_an_issue_with_two_labels_is_a_shot_of_both() -> None:
    issues = [issue("r", "kind/bug", "area/x"), issue("r", "kind/feature", "area/y")] * 30
    drawn = draw_shots(make_task(issues), 5, seed=0)
    assert ((drawn.known > 0).sum(axis=0) == 5).all()
    assert len(drawn.issues) == 10


def test_folds_keep_labels_and_repositories_in_proportion() -> None:
    task = make_task(filed(make_rows(90, repos=("a", "b"))))
    folds = stratified_folds(task, parts=3, seed=5)
    assert sorted(np.concatenate(folds).tolist()) == list(range(90))
    for fold in folds:
        part = task.take(fold)
        for repo in (0, 1):
            assert ((part.known[part.repo == repo] > 0).sum(axis=0) == 5).all()


def test_rare_labels_are_left_out_by_default_in_proportion_to_the_file() -> None:
    often = [issue("r", "bug", "area/x"), issue("r", "docs", "area/y")]
    few = [issue("r", "rare", "area/x")] * 4
    assert "rare" in make_task(often * 20 + few).space.labels
    assert "rare" not in make_task(often * 200 + few).space.labels

"""Training reads files through `bot.issues_file`, whose tests tell what is refused."""

from __future__ import annotations

from pathlib import Path

from tests.training.tiny import make_rows, write_rows
from training.data import read_issues


def test_the_order_of_the_file_is_kept(tmp_path: Path) -> None:
    rows = make_rows(5)[::-1]
    found = read_issues(write_rows(tmp_path / "issues.jsonl", rows))
    assert [issue.labels for issue in found] == [frozenset(row["labels"]) for row in rows]
    assert found[0].text.title == rows[0]["title"]


def test_absent_fields_are_empty(tmp_path: Path) -> None:
    row = {"title": "only this", "body": None, "labels": None, "repo": None}
    (issue,) = read_issues(write_rows(tmp_path / "f", [row]))
    assert (issue.repo, issue.text.body, issue.labels) == ("local/issues", "", frozenset())

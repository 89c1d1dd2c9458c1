from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bot.errors import UserError
from tests.training.tiny import make_rows, write_rows
from training.data import read_issues


def test_plain_and_gzip_read_the_same(tmp_path: Path) -> None:
    rows = make_rows(5)
    plain = write_rows(tmp_path / "issues.jsonl", rows)
    packed = tmp_path / "whatever.name"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    found = read_issues(plain)
    assert found == read_issues(packed)
    assert [issue.labels for issue in found] == [frozenset(row["labels"]) for row in rows]
    assert found[0].text.title == rows[0]["title"]


def test_absent_fields_are_empty(tmp_path: Path) -> None:
    row = {"title": "only this", "body": None, "labels": None, "repo": None}
    (issue,) = read_issues(write_rows(tmp_path / "f", [row]))
    assert (issue.repo, issue.text.body, issue.labels) == ("", "", frozenset())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"title": "fine"}\n{"title": broken\n', "line 2: not JSON"),
        ('{"title": "fine"}\n\n[1, 2]\n', "line 3: list instead of an object"),
        ('{"title": "x", "labels": "bug"}\n', 'line 1: "labels" must be a list'),
        ('{"title": "x", "labels": [1]}\n', 'line 1: "labels" must be a list'),
        ('{"title": "x", "labels": {"a": 1}}\n', 'line 1: "labels" must be a list'),
        ('{"title": "x", "labels": 3}\n', 'line 1: "labels" must be a list'),
        ('{"title": 7}\n', 'line 1: "title" must be text, not int'),
        ("\n", "has no issues"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "issues.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        read_issues(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            read_issues(path)


def test_a_truncated_archive(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(json.dumps(row) for row in make_rows(200)).encode())
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="broken after line"):
        read_issues(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        read_issues(path)

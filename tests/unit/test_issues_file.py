"""Reading anyone's issues: tolerant about what is missing, exact about what is wrong."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.types import LabelEvent
from bot.errors import UserError
from bot.issues_file import FiledIssue, by_repository, read_issues

FULL = {
    "repo": "acme/widget",
    "number": 7,
    "title": "Crash on start",
    "body": "It stops at once.",
    "labels": ["bug", "area: cli", "bug"],
    "created_at": "2024-05-01T10:00:00Z",
    "closed_at": "2024-05-02T10:00:00+02:00",
    "author": "ann",
    "author_association": "MEMBER",
}


def write(path: Path, *rows: object) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "issues.jsonl"


def refusal(path: Path, *, repo: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read_issues(path, repo=repo)
    return str(caught.value)


def test_every_field_is_read(file: Path) -> None:
    assert read_issues(write(file, FULL)) == [
        FiledIssue(
            repo="acme/widget",
            number=7,
            title="Crash on start",
            body="It stops at once.",
            labels=("bug", "area: cli"),
            created_at=datetime(2024, 5, 1, 10, tzinfo=UTC),
            closed_at=datetime(2024, 5, 2, 8, tzinfo=UTC),
            author="ann",
            association="MEMBER",
        )
    ]


def test_everything_but_the_title_may_be_missing(file: Path) -> None:
    (issue,) = read_issues(write(file, {"title": "Alone"}))
    assert (issue.repo, issue.number, issue.body, issue.labels) == ("local/issues", 0, "", ())
    assert (issue.created_at, issue.closed_at) == (None, None)
    assert (issue.author, issue.association) == ("someone", "NONE")


def test_null_is_as_good_as_missing(file: Path) -> None:
    row = dict.fromkeys(FULL) | {"title": "Alone"}
    assert read_issues(write(file, row)) == read_issues(write(file, {"title": "Alone"}))


def test_a_time_without_zone_is_utc(file: Path) -> None:
    (issue,) = read_issues(write(file, {"title": "a", "created_at": "2024-05-01 10:00:00"}))
    assert issue.created_at == datetime(2024, 5, 1, 10, tzinfo=UTC)


def test_gzip_and_blank_lines(tmp_path: Path) -> None:
    packed = tmp_path / "issues.jsonl.gz"
    packed.write_bytes(gzip.compress(b'\n{"title": "a"}\n\n{"title": "b"}\n'))
    assert [issue.title for issue in read_issues(packed)] == ["a", "b"]


def test_content_and_not_the_name_tells_a_gzip_file(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.jsonl.gz", {"title": "a"})
    packed = tmp_path / "packed.jsonl"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_issues(plain) == read_issues(packed)


def test_the_order_of_the_file_where_it_is_asked_for(file: Path) -> None:
    write(file, {"title": "b", "number": 2}, {"title": "a", "number": 1})
    assert [issue.title for issue in read_issues(file, as_listed=True)] == ["b", "a"]


def test_who_set_and_removed_a_label(file: Path) -> None:
    at = "2024-05-01T10:00:00Z"
    events = [
        {"event": "labeled", "label": "bug", "created_at": at, "actor": "ann"},
        {
            "event": "unlabeled",
            "label": "bug",
            "created_at": at,
            "actor": "b",
            "actor_is_bot": True,
        },
        {"label": "docs", "created_at": at, "actor": "ada"},
        {"event": "renamed", "created_at": at},
    ]
    row = {"title": "a", "author": "ada", "created_at": at, "label_events": events}
    (issue,) = read_issues(write(file, row))
    time = datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert issue.events == (
        LabelEvent("bug", True, "ann", "human", time),
        LabelEvent("bug", False, "b", "bot", time),
        LabelEvent("docs", True, "ada", "form", time),
    )


def test_pull_requests_are_left_out(file: Path) -> None:
    rows = [{"title": "a", "is_pr": True}, {"title": "b", "is_pr": False}]
    assert [issue.title for issue in read_issues(write(file, *rows))] == ["b"]


def test_order_by_time_then_number(file: Path) -> None:
    late, early = "2024-02-01T00:00:00Z", "2024-01-01T00:00:00Z"
    rows = [
        {"title": "c", "number": 1, "created_at": late},
        {"title": "b", "number": 9, "created_at": early},
        {"title": "a", "number": 3, "created_at": early},
    ]
    assert [issue.title for issue in read_issues(write(file, *rows))] == ["a", "b", "c"]


def test_one_missing_time_means_order_by_number(file: Path) -> None:
    rows = [{"title": "b", "number": 2, "created_at": "2020-01-01"}, {"title": "a", "number": 1}]
    assert [issue.title for issue in read_issues(write(file, *rows))] == ["a", "b"]


def test_without_times_and_numbers_the_order_of_the_file_holds(file: Path) -> None:
    rows = [{"title": title} for title in "zaq"]
    assert [issue.title for issue in read_issues(write(file, *rows))] == ["z", "a", "q"]


def test_one_repository_of_several(file: Path) -> None:
    write(file, {"title": "a", "repo": "o/x"}, {"title": "b", "repo": "o/y"})
    assert [issue.title for issue in read_issues(file, repo="o/y")] == ["b"]
    assert "no issues of o/z" in refusal(file, repo="o/z")


def test_groups_keep_the_order(file: Path) -> None:
    rows = [{"title": t, "repo": r} for t, r in (("a", "o/x"), ("b", "o/y"), ("c", "o/x"))]
    groups = by_repository(read_issues(write(file, *rows)))
    assert {name: [i.title for i in found] for name, found in groups.items()} == {
        "o/x": ["a", "c"],
        "o/y": ["b"],
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ('["a"]', "line 2: expected a JSON object, got list"),
        ('{"title": 3}', "line 2: title and body must be text"),
        ('{"title": "a", "body": {"x": 1}}', "line 2: title and body must be text"),
        ('{"title": "a", "labels": "bug"}', "line 2: labels must be a list of names"),
        ('{"title": "a", "labels": [1]}', "line 2: labels must be a list of names"),
        ('{"title": "a", "created_at": "soon"}', "line 2: 'soon' is no ISO 8601 time"),
        ('{"title": "a", "number": "seven"}', "line 2: number must be a whole number"),
        ('{"title": "a", "number": {}}', "line 2: number must be a whole number"),
        ('{"title": "a", "label_events": "x"}', "line 2: label_events must be a list"),
        ('{"title": "a", "label_events": [{"label": "x"}]}', "needs a label and created_at"),
    ],
)
def test_a_wrong_line_is_named(file: Path, line: str, said: str) -> None:
    assert said in refusal(write(file, {"title": "fine"}, line))


def test_an_empty_file_is_refused_with_advice(file: Path) -> None:
    assert "each line must be a JSON object" in refusal(write(file, ""))


def test_a_missing_file_and_a_foreign_one(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.jsonl")
    assert "no such file" in refusal(tmp_path)
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_bytes(b"\xff\xfe\x00garbage")
    assert "not UTF-8" in refusal(foreign)


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"title": "a"}\n' * 500)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "broken after line" in refusal(cut)


def test_a_byte_order_mark_is_passed_over(file: Path) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(FULL).encode()
    for packed in (content, gzip.compress(content)):
        file.write_bytes(packed)
        assert [issue.title for issue in read_issues(file)] == [FULL["title"]]


def test_half_a_character_becomes_the_mark_of_a_missing_one(file: Path) -> None:
    """A crawler that cuts text may cut an emoji; no tokenizer and no database takes the half."""
    row = {"repo": "a/b\ud83d", "title": "x\udc00", "body": "y\ud83d", "labels": ["z\ud83d"]}
    (issue,) = read_issues(write(file, row))
    assert (issue.repo, issue.title, issue.body) == ("a/b?", "x?", "y?")
    assert issue.labels == ("z?",)

"""Cutting a snapshot from files: who trains, who evaluates, and nothing by halves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from bot.errors import UserError
from tests.training.dated import START, cut_rows, dated_rows
from tests.training.tiny import make_rows, write_rows
from training.snapshot.cut import cut_files, seen_until
from training.snapshot.manifest import snapshot_id
from training.snapshot.parts import REPEATED
from training.snapshot.read import Snapshot, read_snapshot

ROWS = dated_rows(100, unlabelled=0.2) + dated_rows(60, repo="b/two")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return cut_rows(tmp_path_factory.mktemp("cut"), ROWS, least=10)


def test_what_evaluates_is_newer_than_what_is_trained_on(snapshot: Snapshot) -> None:
    for data in snapshot.repositories:
        taught = [i.created_at for i in data.take("train", "unlabelled").issues if i.created_at]
        judged = [i.created_at for i in data.take("evaluate").issues if i.created_at]
        assert len(judged) >= 10
        assert max(taught) < min(judged)
        window = data.facts.window
        assert window is not None
        assert (window.first, window.last) == (min(judged), max(judged))


def test_unlabelled_issues_are_kept_as_such(snapshot: Snapshot) -> None:
    one = snapshot.repository("a/one")
    assert one.facts.counts["unlabelled"] == len(one.take("unlabelled").issues) > 5
    bare = [row for row in one.take("evaluate").known if not row.any()]
    assert bare  # an arriving issue that nobody labelled counts in the coverage


def test_the_manifest_counts_what_is_there(snapshot: Snapshot) -> None:
    manifest = snapshot.manifest
    assert manifest.counts["issues"] == len(snapshot.issues) == 160
    assert sum(manifest.counts[part] for part in ("train", "evaluate", "unlabelled")) == 160
    assert manifest.counts["text as filed"] == 0  # a file does not tell
    assert manifest.provenance == {"history": manifest.counts["pairs"]}
    assert list(manifest.sources) == ["issues.jsonl"]
    assert manifest.time_range == (START, START + timedelta(hours=99))


def test_the_same_issues_give_the_same_snapshot(tmp_path: Path, snapshot: Snapshot) -> None:
    again = cut_rows(tmp_path, ROWS, least=10)
    assert again.id == snapshot.id
    assert again.manifest.files == snapshot.manifest.files
    assert cut_rows(tmp_path, ROWS[1:], least=10).id != snapshot.id


def test_near_duplicates_lie_on_one_side(tmp_path: Path) -> None:
    rows = dated_rows(100)
    rows[95] = {**rows[10], "number": 96, "created_at": rows[95]["created_at"]}
    rows[97] = {**rows[90], "number": 98, "created_at": rows[97]["created_at"]}
    rows[20] = {**rows[12], "number": 21, "created_at": rows[20]["created_at"]}
    snapshot = cut_rows(tmp_path, rows)
    numbers = {issue.number: issue for issue in snapshot.issues}
    assert snapshot.manifest.left_out == {REPEATED: 2}
    assert 96 not in numbers
    assert 98 not in numbers
    assert numbers[21].group == numbers[13].id == numbers[13].group
    part_of = {issue.group: issue.part for issue in snapshot.issues}
    assert all(part_of[issue.group] == issue.part for issue in snapshot.issues)


def test_a_used_window_is_not_used_again(tmp_path: Path) -> None:
    first = cut_rows(tmp_path, dated_rows(100))
    used = seen_until([first.directory])
    assert used == {"a/one": START + timedelta(hours=99)}
    again = cut_rows(tmp_path, dated_rows(100), used=used)
    assert again.repository("a/one").facts.window is None
    assert again.manifest.counts["train"] == 100
    # What a run without an evaluation part has trained on must not judge what came of it either.
    assert seen_until([again.directory]) == used
    later = cut_rows(tmp_path, dated_rows(140), used=used)
    window = later.repository("a/one").facts.window
    assert window is not None
    assert window.first is not None
    assert window.first > used["a/one"]


def test_what_an_earlier_text_version_has_seen_stays_seen(tmp_path: Path) -> None:
    """Else no run could begin after an upgrade that reads issues in another way."""
    first = cut_rows(tmp_path, dated_rows(100))
    used = seen_until([first.directory])
    path = first.directory / "manifest.json"
    told = json.loads(path.read_text())
    facts = first.manifest.repositories
    told |= {"text_version": 0, "id": snapshot_id(told["files"], 0, facts)}
    path.write_text(json.dumps(told))
    assert seen_until([first.directory]) == used


def test_without_times_numbers_or_the_file_give_the_order(tmp_path: Path) -> None:
    rows = [{**row, "created_at": None} for row in dated_rows(100)]
    by_number = cut_rows(tmp_path, rows[::-1])
    assert by_number.repository("a/one").facts.ordered_by == "number"
    assert [issue.number for issue in by_number.issues] == list(range(1, 101))
    by_file = cut_rows(tmp_path, [{**row, "number": None} for row in rows])
    assert by_file.repository("a/one").facts.ordered_by == "file"
    assert by_file.repository("a/one").take("evaluate").issues[0].text.title == rows[70]["title"]


def test_times_of_other_zones_are_put_in_order(tmp_path: Path) -> None:
    rows = dated_rows(60)
    for row in rows[::2]:
        moved = datetime.fromisoformat(row["created_at"]).astimezone(timezone(timedelta(hours=9)))
        row["created_at"] = moved.isoformat()
    snapshot = cut_rows(tmp_path, rows)
    assert [issue.number for issue in snapshot.issues] == list(range(1, 61))
    assert snapshot.id == cut_rows(tmp_path, rows[::-1]).id


def test_provenance_of_a_file_that_tells(tmp_path: Path) -> None:
    rows = dated_rows(60)
    at = rows[5]["created_at"]
    rows[0]["label_events"] = [{"label": rows[0]["labels"][0], "created_at": at, "actor": "m"}]
    rows[1]["label_events"] = [
        {"label": rows[1]["labels"][0], "created_at": at, "actor": "b", "actor_is_bot": True}
    ]
    snapshot = cut_rows(tmp_path, rows)
    assert snapshot.manifest.provenance["human"] == 3
    assert snapshot.manifest.provenance["bot"] == 1
    marked = next(issue for issue in snapshot.issues if issue.number == 2)
    assert marked.part == "unlabelled"


def test_an_issue_in_two_files_counts_once(tmp_path: Path) -> None:
    one = write_rows(tmp_path / "one.jsonl", dated_rows(60))
    two = write_rows(tmp_path / "two.jsonl", dated_rows(70))
    snapshot = cut_files([one, two], tmp_path / "out")
    assert snapshot.manifest.counts["issues"] == 70
    assert snapshot.repository("a/one").facts.source == "one.jsonl, two.jsonl"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**row, "labels": []} for row in make_rows(30)], "no issue to train on has a label"),
        ([{**row, "labels": ["stale"]} for row in make_rows(30)], "process labels"),
        ([{**row, "labels": ["bug"]} for row in make_rows(30)], "one class"),
        (make_rows(1), "one issue is not enough"),
    ],
)
def test_nothing_to_learn_from(tmp_path: Path, rows: list[dict[str, object]], said: str) -> None:
    file = write_rows(tmp_path / "issues.jsonl", rows)
    with pytest.raises(UserError, match=said) as caught:
        cut_files([file], tmp_path / "out")
    assert "issues.jsonl" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cut_rows(tmp_path, ROWS)

    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.snapshot.cut.write_table", full)
    with pytest.raises(UserError, match=r"No space left on device.*nothing was left there"):
        cut_rows(tmp_path, ROWS[:-1])
    assert read_snapshot(before.directory).id == before.id
    assert {path.name for path in tmp_path.iterdir()} == {"issues.jsonl", "snapshot"}


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something that is not a snapshot"):
        cut_rows(tmp_path, ROWS)
    assert (tmp_path / "snapshot" / "thesis.txt").read_text() == "mine"

"""A snapshot is read whole and unchanged, or not at all, and says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.classify.bundle import file_sha256
from bot.errors import UserError
from tests.training.dated import cut_rows, dated_rows
from training.snapshot.manifest import _facts, snapshot_id
from training.snapshot.read import SCHEMAS, read_snapshot
from training.snapshot.tables import write_table


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    rows = dated_rows(120, unlabelled=0.2) + dated_rows(60, repo="b/two")
    return cut_rows(folder, rows, least=10).directory


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def refusal(directory: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_snapshot(directory)
    return str(caught.value)


def edit(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = directory / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_arrays_say_what_the_pairs_say(whole: Path) -> None:
    snapshot = read_snapshot(whole)
    one = snapshot.repository("a/one")
    assert [spec.name for spec in one.specs] == ["bug", "feature", "question"]
    assert one.known.shape == one.weights.shape == (len(one.issues), 3)
    assert ((one.known != 0) == (one.weights > 0)).all()
    told = one.take("train")
    assert ((told.known > 0).sum(axis=1) == 1).all()
    assert ((told.known < 0).sum(axis=1) == 2).all()
    assert not np.any(one.take("unlabelled").known)
    assert sum(len(data.issues) for data in snapshot.repositories) == len(snapshot.issues)
    assert [issue.id for issue in snapshot.issues] == list(range(len(snapshot.issues)))


@pytest.mark.parametrize("name", ["issues.parquet", "pairs.parquet", "corrections.parquet"])
def test_a_truncated_file_is_refused(copied: Path, name: str) -> None:
    path = copied / name
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{name} was changed or cut short" in refusal(copied)


def test_a_changed_file_is_refused(copied: Path) -> None:
    path = copied / "labels.parquet"
    path.write_bytes(path.read_bytes().replace(b"a/one", b"a/two"))
    message = refusal(copied)
    assert "was changed" in message
    assert "cut the snapshot again" in message


def test_a_missing_file_is_refused(copied: Path) -> None:
    (copied / "pairs.parquet").unlink()
    assert "Cannot read" in refusal(copied)


def test_a_file_with_the_right_hash_that_is_no_parquet(copied: Path) -> None:
    (copied / "pairs.parquet").write_bytes(b"PAR1 and then something else")
    rehash(copied, "pairs.parquet", file_sha256(copied / "pairs.parquet"))
    assert "cannot be read as Parquet" in refusal(copied)


def test_other_columns_are_refused(copied: Path) -> None:
    write_table(copied / "labels.parquet", [{"repo": "a/one"}], {"repo": "string"})
    rehash(copied, "labels.parquet", file_sha256(copied / "labels.parquet"))
    assert "is not as this version writes it" in refusal(copied)


def test_an_unknown_text_version_is_refused(copied: Path) -> None:
    edit(copied, lambda found: found.update(text_version=99))
    rehash(copied, "pairs.parquet", file_sha256(copied / "pairs.parquet"))
    message = refusal(copied)
    assert "issue texts of version 99" in message
    assert "cut the snapshot again" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found.update(format=2), "not a snapshot of format 1"),
        (lambda found: found.update(id="000000000000"), "its id does not follow"),
        (lambda found: found.pop("repositories"), "lacks or does not know a key"),
        (lambda found: found.update(more=1), "lacks or does not know a key"),
        (lambda found: found.update(repositories=3), "lacks or does not know a key"),
        (lambda found: found["repositories"][0].update(target=0.5), "its id does not follow"),
    ],
)
def test_a_changed_manifest_is_refused(
    copied: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(copied, change)
    assert said in refusal(copied)


def test_no_snapshot_and_no_json(copied: Path, tmp_path: Path) -> None:
    assert "labelwright-train snapshot --out" in refusal(tmp_path)
    (copied / "manifest.json").write_text("{")
    assert "is not JSON" in refusal(copied)


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([], "no issue to train on has a label"),
        ([(0, "bug", 1), (3, "bug", 1)], "one class leaves nothing to tell apart"),
        ([(0, "bug", 1), (1, "feature", 1)], "one class leaves nothing to tell apart"),
    ],
)
def test_pairs_that_teach_nothing(
    copied: Path, kept: list[tuple[int, str, int]], said: str
) -> None:
    rows = [
        {"issue": issue, "label": label, "value": value, "provenance": "human", "weight": 1.0}
        for issue, label, value in kept
    ]
    write_table(copied / "pairs.parquet", rows, SCHEMAS["pairs.parquet"])
    rehash(copied, "pairs.parquet", file_sha256(copied / "pairs.parquet"))
    assert said in refusal(copied)


def rehash(directory: Path, name: str, digest: str) -> None:
    def change(found: dict[str, Any]) -> None:
        found["files"][name] = digest
        facts = tuple(_facts(row) for row in found["repositories"])
        found["id"] = snapshot_id(found["files"], found["text_version"], facts)

    edit(directory, change)

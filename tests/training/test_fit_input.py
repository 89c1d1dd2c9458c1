"""Snapshots and recipes that nothing can be trained from: one clear line, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.fit import __main__ as command
from training.fit.lesson import make_lesson
from training.recipe_file import recipe_text
from training.snapshot.read import read_snapshot

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def fit(tmp_path: Path, base: Path, **changes: Any) -> int:
    recipe = tiny_recipe(**{"encoder": str(base)} | changes)
    (tmp_path / "recipe.json").write_text(recipe_text(recipe))
    words = {"recipe": "recipe.json", "snapshot": "snapshot", "out": "out"}
    told = [x for key, name in words.items() for x in (f"--{key}", str(tmp_path / name))]
    return command.main([*told, "--tracker", "none"])


def one_class(rows: Rows) -> Rows:
    return [row for row in rows if row["labels"] == ["bug"]]


def no_labels(rows: Rows) -> Rows:
    return [{**row, "labels": []} for row in rows]


def one_issue(rows: Rows) -> Rows:
    return rows[:1]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (one_class, "one class leaves nothing to tell apart"),
        (no_labels, "no issue to train on has a label"),
        (one_issue, "one issue is not enough"),
    ],
)
def test_too_little_to_learn_from(
    tmp_path: Path,
    base: Path,
    bad: Callable[[Rows], Rows],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_snapshot(tmp_path / "snapshot", bad(make_rows(30)), unlabelled=make_rows(5, seed=1))
    assert fit(tmp_path, base) == command.BAD_INPUT
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_truncated_snapshot(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_snapshot(tmp_path / "snapshot", make_rows(30)) / "pairs.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    assert fit(tmp_path, base) == command.BAD_INPUT
    error = capsys.readouterr().err
    assert "pairs.parquet was changed or cut short" in error
    assert "cut the snapshot again" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine": "setfit"}, "training.fit runs 'contrastive'"),
        ({"encoder": "/nowhere"}, "/nowhere: no such directory"),
        ({"terms": {"uda": {}}}, "has no issue without labels"),
        ({"terms": {"udaa": {}}}, "Did you mean 'uda'"),
        ({"max_tokens": 65}, "reads at most 64 tokens"),
    ],
)
def test_a_recipe_that_cannot_be_run_on_it(
    tmp_path: Path,
    base: Path,
    changes: dict[str, Any],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_snapshot(tmp_path / "snapshot", make_rows(30))
    assert fit(tmp_path, base, **changes) == command.BAD_INPUT
    assert told in capsys.readouterr().err


def test_steps_between_checkpoints_are_counted_from_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--{name}={tmp_path}" for name in ("recipe", "snapshot", "out")]
    with pytest.raises(SystemExit, match="2"):
        command.main([*words, "--save-every", "0"])
    assert "--save-every" in capsys.readouterr().err


def test_a_checkpoint_that_was_cut_short(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_snapshot(tmp_path / "snapshot", make_rows(30))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint.safetensors").write_bytes(b"half a checkpoint")
    assert fit(tmp_path, base) == command.BAD_INPUT
    assert "Delete it to begin anew" in capsys.readouterr().err


def test_text_without_a_mask_token(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_snapshot(tmp_path / "snapshot", make_rows(30))
    without = tmp_path / "without"
    without.mkdir()
    for file in base.iterdir():
        (without / file.name).write_bytes(file.read_bytes().replace(b"[MASK]", b"[MUSK]"))
    assert fit(tmp_path, without, adapt="mlm") == command.BAD_INPUT
    assert "set adapt = 'title_body'" in capsys.readouterr().err


def test_a_lesson_keeps_repositories_apart_and_the_evaluation_part_out(tmp_path: Path) -> None:
    rows = make_rows(12, repos=("a/one",)) + [
        {**row, "labels": [f"kind/{row['labels'][0]}"]}
        for row in make_rows(12, repos=("b/two",), seed=1)
    ]
    unlabelled = make_rows(4, repos=("b/two",), seed=2)
    snapshot = read_snapshot(make_snapshot(tmp_path / "s", rows, unlabelled=unlabelled))
    lesson = make_lesson(snapshot)
    space = lesson.task.space
    assert space.labels == (
        "bug",
        "feature",
        "kind/bug",
        "kind/feature",
        "kind/question",
        "question",
    )
    assert space.single
    own = space.allowed(np.array([0, 1]))
    assert not (own[0] & own[1]).any()
    assert ((lesson.task.known != 0) == own[lesson.task.repo]).all()
    assert lesson.label_texts[2] == "kind bug: About kind/bug"
    assert len(lesson.pool.texts) == 4
    assert (lesson.pool.allowed == own[1]).all()
    assert len(lesson.texts) == 28
    data = snapshot.repositories[0]
    later = tuple(replace(issue, part="evaluate") for issue in data.issues)
    judged = replace(snapshot, repositories=(replace(data, issues=later), snapshot.repositories[1]))
    assert len(make_lesson(judged).texts) == 16

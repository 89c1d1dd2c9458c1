"""Who has seen what is to judge it, does not get to learn on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.classify.seen import PROVENANCE, UNKNOWN, Provenance, read_provenance
from bot.errors import UserError
from tests.training.dated import START, cut_rows, dated_rows
from tests.training.tiny import make_tiny_encoder, tiny_recipe
from training.evidence import used_up
from training.fit import __main__ as command
from training.judge.case import Terms
from training.judge.enough import too_little
from training.provenance import learned
from training.recipe_file import recipe_text
from training.snapshot.held_back import hold_back
from training.snapshot.read import Snapshot


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return cut_rows(tmp_path_factory.mktemp("cut"), dated_rows(90), least=10)


def fit(folder: Path, snapshot: Snapshot, encoder: Path, **changes: Any) -> int:
    recipe = tiny_recipe(encoder=str(encoder), epochs=1, min_steps=1, **changes)
    file = folder / "recipe.json"
    file.write_text(recipe_text(recipe))
    words = {"--recipe": file, "--snapshot": snapshot.directory, "--out": folder / "out"}
    told = [str(x) for pair in words.items() for x in pair]
    return command.main([*told, "--tracker", "none"])


def test_an_encoder_that_has_seen_the_evaluation_part_is_refused(
    snapshot: Snapshot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = make_tiny_encoder(tmp_path / "tuned")
    assert fit(tmp_path, snapshot, tuned) == command.DONE
    made = tmp_path / "out" / "encoder"
    data = snapshot.repositories[0]
    newest = data.take("train", "unlabelled").issues[-1].created_at
    assert read_provenance(made) == Provenance((snapshot.id,), {"a/one": newest})
    assert f"encoder/{PROVENANCE}" in json.loads((tmp_path / "out/done.json").read_text())["files"]

    later = tmp_path / "later"
    later.mkdir()
    longer = cut_rows(later, dated_rows(130), least=10)
    assert fit(later, longer, made) == command.DONE, (
        "its evaluation part is newer than what was seen"
    )
    back = tmp_path / "back"
    back.mkdir()
    assert fit(back, snapshot, later / "out" / "encoder") == command.BAD_INPUT
    told = capsys.readouterr().err
    assert f"has seen a/one until {newest:%Y-%m}" in told
    assert f"by the snapshots {snapshot.id}, {longer.id}" in told
    assert "Cut the snapshot with `--after`" in told
    assert not (back / "out").exists()


def test_the_newest_issues_are_held_back_and_told_apart(snapshot: Snapshot, tmp_path: Path) -> None:
    tuned = make_tiny_encoder(tmp_path / "tuned")
    assert fit(tmp_path, snapshot, tuned, held_back=12) == command.DONE
    issues = snapshot.repositories[0].take("train", "unlabelled").issues
    newest = issues[len(issues) - 12 - 1].created_at
    found = read_provenance(tmp_path / "out" / "encoder")
    assert found.seen == {"a/one": newest}
    done = json.loads((tmp_path / "out" / "done.json").read_text())
    assert done["labelled"] == len(issues) - 12

    data = hold_back(snapshot, 12).repositories[0]
    judging = snapshot.repositories[0].take("evaluate").issues
    assert data.take("evaluate").issues == judging
    times = np.array([i.created_at.timestamp() for i in issues if i.created_at])
    seen = found.rows("a/one", times)
    assert seen is not None
    assert (~seen).sum() == 12


@pytest.mark.parametrize("most", [0, 1, 30, 31, 32, 500])
def test_so_many_are_held_back_and_at_most_half(snapshot: Snapshot, most: int) -> None:
    issues = snapshot.repositories[0].take("train").issues
    assert len(issues) == 63
    kept = hold_back(snapshot, most).repositories[0].take("train").issues
    assert kept == issues[: 63 - min(most, 31)]


def test_a_large_repository_holds_back_no_more_than_a_small_one(tmp_path: Path) -> None:
    rows = [*dated_rows(400), *dated_rows(60, repo="b/two")]
    snapshot = cut_rows(tmp_path, rows, least=10)
    pairs = zip(snapshot.repositories, hold_back(snapshot, 20).repositories, strict=True)
    counts = [(len(a.take("train").issues), len(b.take("train").issues)) for a, b in pairs]
    assert counts == [(280, 260), (42, 22)]


def test_text_newer_than_what_is_held_back_is_not_read(tmp_path: Path) -> None:
    snapshot = cut_rows(tmp_path, dated_rows(90, unlabelled=0.4), least=10)
    data = hold_back(snapshot, 500).repositories[0]
    told = [issue.created_at for issue in data.take("train").issues if issue.created_at]
    pool = [issue.created_at for issue in data.take("unlabelled").issues if issue.created_at]
    whole = [issue.created_at for issue in snapshot.repositories[0].take("train").issues]
    assert max(pool) < min(at for at in whole if at and at not in told)


def test_nothing_is_held_back_where_nobody_could_tell_it_later(tmp_path: Path) -> None:
    rows = [{**row, "created_at": None} for row in dated_rows(90)]
    snapshot = cut_rows(tmp_path, rows, least=10)
    assert hold_back(snapshot, 20).repositories[0].issues == snapshot.repositories[0].issues


def test_what_was_seen_adds_up(snapshot: Snapshot) -> None:
    first = learned(UNKNOWN, snapshot)
    assert learned(first, snapshot) == first, "its own training part is no evaluation part"
    (at,) = first.seen.values()
    assert at is not None
    other = learned(Provenance(("x",), {"b/two": at, "a/one": at - timedelta(days=1)}), snapshot)
    assert other == Provenance(("x", snapshot.id), {"a/one": at, "b/two": at})


def test_issues_of_one_second_are_on_either_side_of_a_cut(tmp_path: Path) -> None:
    """As an import files them."""
    rows = [{**row, "created_at": START.isoformat()} for row in dated_rows(90)]
    snapshot = cut_rows(tmp_path, rows, least=10)
    first = learned(UNKNOWN, snapshot)
    assert first.seen == {"a/one": START}
    assert learned(first, snapshot) == first


def test_issues_without_times_are_told_apart_by_their_snapshot(tmp_path: Path) -> None:
    rows = [{**row, "created_at": None} for row in dated_rows(90)]
    snapshot = cut_rows(tmp_path, rows, least=10)
    first = learned(UNKNOWN, snapshot)
    assert first.seen == {"a/one": None}
    assert learned(first, snapshot) == first
    with pytest.raises(UserError, match="a/one, whose issues bear no time"):
        learned(replace(first, snapshots=("another",)), snapshot)


def test_the_next_snapshot_is_judged_by_what_is_newer(tmp_path: Path) -> None:
    at = START + timedelta(hours=50)
    (tmp_path / PROVENANCE).write_text(Provenance(("x",), {"a/one": at, "b/two": None}).text())
    assert used_up([], tiny_recipe(encoder=str(tmp_path))) == {"a/one": at}
    assert used_up([], tiny_recipe(encoder="owner/name")) == used_up([], tiny_recipe()) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"snapshots": [], "seen": {"a": "soon"}}'])
def test_provenance_that_cannot_be_read_is_no_leave(tmp_path: Path, text: str) -> None:
    (tmp_path / PROVENANCE).write_text(text)
    with pytest.raises(UserError, match="nobody can tell what this encoder has seen"):
        read_provenance(tmp_path)


def test_a_challenger_that_could_promise_nothing_is_not_fitted(tmp_path: Path) -> None:
    """By sizes alone, before anything is spent: it would apply nothing, and surely not win."""
    snapshot = cut_rows(tmp_path, dated_rows(400))
    terms = Terms(least_issues=50, least_positives=50)
    assert too_little(snapshot, terms, held_back=50) == ""
    assert "more than 49 labelled ones" in too_little(snapshot, terms, held_back=49)
    assert "more than 0 labelled ones" in too_little(snapshot, terms, held_back=0)
    tenfold = replace(terms, least_unseen=500)
    assert "more than 140 labelled ones" in too_little(snapshot, tenfold, held_back=500), "half"

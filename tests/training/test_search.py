"""A search learns from what was before, is asked about what came later, and can be killed at any time."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from bot.errors import GiveUp, UserError
from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.cli import app
from training.recipe import Recipe
from training.recipe_file import read_recipe, recipe_text
from training.search import study
from training.search.exam import make_exam
from training.search.ledger import Row, best_of
from training.search.space import SPACE, chosen_names, values_of, with_values
from training.search.study import LOCK, Quest, search
from training.search.trial import LOOKS, Bench, run_trial
from training.snapshot.read import read_snapshot

REPOS = ("a/one", "b/two")
VARY = ("learning_rate", "temperature", "contrast", "averaging", "epochs")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "good"
    rows = make_rows(60, repos=REPOS)
    return make_snapshot(path, rows, unlabelled=make_rows(8, repos=REPOS, seed=5))


def short(base: Path, **changes: Any) -> Recipe:
    small = {"encoder": str(base), "epochs": 2, "min_steps": 1, "batch": 12}
    return tiny_recipe(**small | changes)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that are a formula: what the search does with them is the question."""

    def trial(bench: Bench, recipe: Recipe, *, on_look: Any) -> float:
        value = 1 / (1 + abs(np.log(recipe.learning_rate / 5e-3)) + abs(recipe.contrast - 2))
        for look in range(1, LOOKS + 1):
            on_look(look, value * look / LOOKS)
        return float(value)

    monkeypatch.setattr(study, "run_trial", trial)
    monkeypatch.setattr(study, "RANDOM", 3)


def bare(rows: Sequence[Row]) -> list[Any]:
    return [(row.value, row.values, row.looks) for row in rows]


def test_what_is_asked_is_newer_than_what_is_learned(snapshot: Path) -> None:
    read = read_snapshot(snapshot)
    exam = make_exam(read)
    learned = {issue.text for issue in exam.lesson.task.issues} | set(exam.lesson.pool.texts)
    for data in read.repositories:
        labelled = [issue for issue in data.issues if issue.part == "train"]
        assert [issue.text in learned for issue in labelled] == [True] * 23 + [False] * 7
        since = labelled[23].id
        assert all(issue.text not in learned for issue in data.issues if issue.id >= since)
    assert len(exam.texts) == 14
    assert ((exam.known > 0).sum(axis=1) == 1).all()
    assert set(exam.texts).isdisjoint(text.joined for text in learned)


def test_the_evaluation_part_is_never_looked_at(snapshot: Path) -> None:
    read, hidden = read_snapshot(snapshot), []
    for data in read.repositories:
        issues = tuple(
            replace(issue, part="evaluate") if i >= 20 else issue
            for i, issue in enumerate(data.issues)
        )
        hidden.append(replace(data, issues=issues))
    exam = make_exam(replace(read, repositories=tuple(hidden)))
    seen = {x.text.joined for x in exam.lesson.task.issues} | set(exam.texts)
    seen |= {text.joined for text in exam.lesson.pool.texts}
    for data in hidden:
        assert all(x.text.joined not in seen for x in data.issues if x.part == "evaluate")


def test_near_repeats_of_earlier_issues_are_not_asked(snapshot: Path) -> None:
    read = read_snapshot(snapshot)
    data = read.repositories[0]
    rows = [i for i, issue in enumerate(data.issues) if issue.part == "train"]
    issues = list(data.issues)
    issues[rows[-1]] = replace(issues[rows[-1]], group=issues[0].group)
    told = make_exam(
        replace(read, repositories=(replace(data, issues=tuple(issues)), *read.repositories[1:]))
    )
    assert issues[rows[-1]].text.joined not in told.texts
    assert len(told.texts) == 13


def test_too_few_issues_to_judge_by(tmp_path: Path) -> None:
    small = make_snapshot(tmp_path / "small", make_rows(24))
    with pytest.raises(UserError, match=r"6 labels on the newest issues .* too few"):
        make_exam(read_snapshot(small))


def test_labels_that_any_ranking_gets_right_are_not_asked_about(snapshot: Path) -> None:
    read = read_snapshot(snapshot)
    data = read.repositories[0]
    known = data.known.copy()
    known[23:, :2] = [1, -1]
    one_sided = replace(read, repositories=(replace(data, known=known), *read.repositories[1:]))
    exam = make_exam(one_sided)
    assert set(np.flatnonzero((exam.known[exam.repo == 0] != 0).any(axis=0))) == {2}
    assert (exam.known[exam.repo == 1] != 0).any(axis=0).all()


def test_a_real_trial_is_looked_at_and_learns(base: Path, snapshot: Path) -> None:
    recipe = short(base, epochs=4)
    quest = Quest(recipe=recipe, snapshot=snapshot, out=Path("unused"))
    bench, _ = study._open_bench(quest, VARY)
    seen: list[tuple[int, float]] = []
    value = run_trial(bench, recipe, on_look=lambda at, found: seen.append((at, found)))
    assert [at for at, _ in seen] == [1, 2, 3, 4]
    assert value == seen[-1][1]
    assert value > 0.6  # a coin gets about .4
    again = run_trial(bench, recipe, on_look=lambda at, found: None)
    assert again == value

    def enough(at: int, found: float) -> None:
        raise StopIteration(at)

    with pytest.raises(StopIteration, match="1"):
        run_trial(bench, recipe, on_look=enough)


@pytest.mark.usefixtures("quick")
def test_the_best_recipe_is_written_and_read_by_the_fit(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    recipe = short(base, seed=6)
    quest = Quest(recipe=recipe, snapshot=snapshot, out=tmp_path / "out", trials=8, vary=VARY)
    rows = search(quest)
    best = best_of(rows)
    assert best is not None
    assert rows[0].values == values_of(recipe, VARY)
    assert best.value is not None
    assert rows[0].value is not None
    assert best.value > rows[0].value
    assert any(row.state == "pruned" for row in rows)
    found = read_recipe(tmp_path / "out" / "recipe.json")
    assert found == with_values(recipe, best.values, name="tiny-searched")
    told = json.loads((tmp_path / "out" / "trials.json").read_text())
    assert [row["state"] for row in told["trials"]] == [row.state for row in rows]
    assert told["best"] == best.number
    table = (tmp_path / "out" / "trials.md").read_text().splitlines()
    assert table[6].startswith(f"| {best.number} | {best.value:.4f} |")
    assert len(table) == 6 + 8


@pytest.mark.usefixtures("quick")
def test_killed_in_the_middle_of_a_trial_it_comes_to_the_same(
    base: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = short(base, seed=6)
    whole = search(
        Quest(recipe=recipe, snapshot=snapshot, out=tmp_path / "whole", trials=6, vary=VARY)
    )
    trial, left = study.run_trial, iter([1, 1, 1, 0, 1, 0, 1, 1, 1])

    def deadly(bench: Bench, recipe: Recipe, *, on_look: Any) -> float:
        if not next(left):
            raise KeyboardInterrupt
        return trial(bench, recipe, on_look=on_look)

    monkeypatch.setattr(study, "run_trial", deadly)
    quest = Quest(recipe=recipe, snapshot=snapshot, out=tmp_path / "killed", trials=6, vary=VARY)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(quest)
    assert bare(search(quest)) == bare(whole)
    assert bare(search(quest)) == bare(whole)  # nothing more to do
    kept, meant = ((tmp_path / name / "recipe.json").read_text() for name in ("killed", "whole"))
    assert kept == meant


@pytest.mark.usefixtures("quick")
def test_another_search_and_a_search_at_work_are_refused(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    search(Quest(recipe=short(base), snapshot=snapshot, out=out, trials=1, vary=VARY))
    other = Quest(recipe=short(base, seed=7), snapshot=snapshot, out=out, trials=2, vary=VARY)
    with pytest.raises(UserError, match=r"another recipe\. Give another --out"):
        search(other)
    with pytest.raises(UserError, match="another choice of what to vary"):
        search(Quest(recipe=short(base), snapshot=snapshot, out=out, vary=["smoothing"]))
    with (out / LOCK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another search is at work"):
            search(Quest(recipe=short(base), snapshot=snapshot, out=out, vary=VARY))
    (out / "search.db").write_bytes(b"no database")
    with pytest.raises(UserError, match="cannot be opened"):
        search(Quest(recipe=short(base), snapshot=snapshot, out=out, vary=VARY))


def fail_first(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> None:
    """A trial each; None: that one comes to its end, as do all after them."""
    trial, left = study.run_trial, iter(errors)

    def shaky(bench: Bench, recipe: Recipe, *, on_look: Any) -> float:
        error = next(left, None)
        if error is not None:
            raise error
        return trial(bench, recipe, on_look=on_look)

    monkeypatch.setattr(study, "run_trial", shaky)


@pytest.mark.usefixtures("quick")
def test_a_trial_that_diverges_is_one_row_and_the_search_goes_on(
    base: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = GiveUp("The loss became nan")
    quest = Quest(recipe=short(base), snapshot=snapshot, out=tmp_path / "out", trials=4, vary=VARY)
    with monkeypatch.context() as patch:
        fail_first(patch, None, nan, torch.OutOfMemoryError("full"))
        rows = search(quest)
    assert [row.state for row in rows] == ["done", "failed", "failed", "done"]
    assert rows[1].failed == "The loss became nan"
    fail_first(monkeypatch, nan)
    with pytest.raises(GiveUp, match="No trial came to its end; the first says: The loss"):
        search(replace(quest, out=tmp_path / "bad", trials=1))


@pytest.mark.usefixtures("quick")
def test_a_recipe_that_fails_as_given_has_no_value(
    base: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_first(monkeypatch, GiveUp("The loss became nan"))
    file = tmp_path / "start.json"
    file.write_text(recipe_text(short(base)), encoding="utf-8")
    asked = ["--snapshot", str(snapshot), "--out", str(tmp_path / "out"), "--recipe", str(file)]
    told = CliRunner().invoke(app, ["search", *asked, "--trials", "2"])
    assert told.exit_code == 0, told.output
    assert "(as given: failed)" in told.output


@pytest.mark.parametrize(
    ("name", "changes"),
    [("weight_decay", {"weight_decay": 0.0}), ("cap.weight", {"terms": {"cap": {"weight": 0}}})],
)
def test_what_stands_at_zero_has_no_magnitudes_around_it(
    name: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=f"--vary {name}: the recipe has 0 there"):
        chosen_names(tiny_recipe(**changes), [name])


def test_what_can_be_turned() -> None:
    recipe = tiny_recipe(terms={"ust": {"weight": 0.5}, "cap": {}})
    names = chosen_names(recipe, [])
    assert names[-2:] == ("ust.weight", "cap.weight")
    values = values_of(recipe, names)
    assert values["ust.weight"] == 0.5
    assert values["cap.weight"] == 1.0
    turned = with_values(recipe, {**values, "ust.weight": 0.1, "epochs": 9}, name="x")
    assert turned.terms["ust"] == {"weight": 0.1}
    assert turned.epochs == 9
    assert set(SPACE) <= {*recipe.__dataclass_fields__}
    with pytest.raises(UserError, match="Did you mean 'temperature'"):
        chosen_names(recipe, ["temprature"])


def test_the_command(base: Path, snapshot: Path, tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    file.write_text(recipe_text(short(base)), encoding="utf-8")
    asked = [
        "search",
        "--snapshot",
        str(snapshot),
        "--out",
        str(tmp_path / "out"),
        "--recipe",
        str(file),
    ]
    told = CliRunner().invoke(app, [*asked, "--trials", "2"])
    assert told.exit_code == 0, told.output
    assert "best: trial" in told.output
    assert read_recipe(tmp_path / "out" / "recipe.json").name == "tiny-searched"
    refused = CliRunner().invoke(app, [*asked, "--vary", "colour"])
    assert refused.exit_code == 2
    assert "cannot be turned" in refused.output
    idle = CliRunner().invoke(app, [*asked[:4], str(tmp_path / "new"), *asked[5:], "--hours", "0"])
    assert "give more --hours" in idle.output

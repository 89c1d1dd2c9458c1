from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.training.tiny import (
    filed,
    make_rows,
    make_tiny_encoder,
    tiny_recipe,
    write_rows,
)
from training import recipe as recipes
from training.cli import app
from training.cli.score import _names
from training.device import Device
from training.scoring.held_out import plan_encoders
from training.scoring.model import train_model
from training.scoring.stacking import fixed_stack
from training.task import make_task


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(autouse=True)
def _tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "standard", tiny_recipe())
    monkeypatch.setitem(recipes.RECIPES, "separate", tiny_recipe(name="separate", joint=False))


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["score", *map(str, words)])


def ask(tmp_path: Path, base: Path, *options: object, **rows: Any) -> dict[str, Any]:
    train = write_rows(tmp_path / "train.jsonl", make_rows(120, **rows))
    test = write_rows(tmp_path / "test.jsonl", make_rows(60, seed=7, **rows))
    out = tmp_path / "out.json"
    words = ["--train", train, "--test", test, "--encoder", base, "--json", out, *options]
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert not list(tmp_path.glob("*.unfinished"))
    return json.loads(out.read_text())


def test_single_label_issues_are_learned(tmp_path: Path, base: Path) -> None:
    answer = ask(tmp_path, base)
    assert answer["question"]["kind"] == "single-label"
    assert answer["overall"]["f1"]["macro"] > 0.9
    assert answer["recipe"]["held_out_parts"] == 2
    assert answer["overall"]["promise"]["coverage"] > 0
    assert set(answer["repositories"]) == {"all repositories"}


@pytest.mark.parametrize("recipe", ["standard", "separate"])
def test_by_repo_gives_each_and_the_mean(tmp_path: Path, base: Path, recipe: str) -> None:
    answer = ask(tmp_path, base, "--by-repo", "--recipe", recipe, repos=("a/one", "b/two"))
    each = answer["repositories"]
    assert set(each) == {"a/one", "b/two"}
    mean = sum(figures["f1"]["macro"] for figures in each.values()) / 2
    assert answer["overall"]["f1"]["macro"] == pytest.approx(mean)
    assert mean > 0.8


def test_multi_label_issues_have_thresholds(tmp_path: Path, base: Path) -> None:
    answer = ask(tmp_path, base, two_labels=True)
    assert answer["question"]["kind"] == "multi-label"
    assert set(answer["overall"]["thresholds"]) == {
        "area/x",
        "area/y",
        "bug",
        "feature",
        "question",
    }
    assert answer["overall"]["f1"]["micro"] > 0.7
    assert "f1_closed_world" in answer["overall"]


def test_shots_seeds_and_labels(tmp_path: Path, base: Path) -> None:
    answer = ask(tmp_path, base, "--shots", 8, "--seeds", 2, "--labels", "bug, question")
    assert answer["question"]["labels"] == ["bug", "question"]
    assert answer["question"]["test_issues_left_out"] == 20
    macros = [run["overall"]["f1"]["macro"] for run in answer["runs"]]
    assert len(macros) == 2
    assert answer["overall"]["f1"]["macro"] == pytest.approx(sum(macros) / 2)


def test_the_table_tells_how_many_issues_were_trained_on(tmp_path: Path, base: Path) -> None:
    train = write_rows(tmp_path / "train", make_rows(60))
    test = write_rows(tmp_path / "test", make_rows(9, seed=7))
    words = ("--train", train, "--test", test, "--encoder", base, "--recipe", "standard")
    result = run(*words, "--shots", 2)
    assert "3 labels, 6 issues to train, 9 to test" in " ".join(result.stdout.split())


def test_what_flatters_or_breaks_the_figures_is_said(tmp_path: Path, base: Path) -> None:
    rows = make_rows(30)
    train = write_rows(tmp_path / "train", rows)
    twice = [
        {**row, "number": 100 + row["number"], "title": f" {row['title']}"} for row in rows[:4]
    ]
    elsewhere = make_rows(6, seed=7, repos=("z/z",))
    test = write_rows(tmp_path / "test", [*make_rows(9, seed=7), *twice, *elsewhere])
    out = tmp_path / "out.json"
    words = ("--train", train, "--test", test, "--encoder", base, "--json", out)
    result = run(*words)
    assert "4 test issues read like one of the training file" in result.stdout
    assert "6 test issues are of repositories that were not trained on" in result.stdout
    asked = json.loads(out.read_text())["question"]
    assert (asked["test_issues_learned"], asked["test_issues_elsewhere"]) == (4, 6)


def test_few_issues_of_several_labels_choose_thresholds_but_no_stack(base: Path) -> None:
    few = make_task(filed(make_rows(48, two_labels=True)))
    model = train_model(few, tiny_recipe(), seed=0, device=Device("cpu", False), base=base)
    assert model.held_out is not None
    assert len(model.held_out.known) == 48
    assert np.array_equal(model.stack.slopes, fixed_stack(len(few.space.labels)).slopes)


def test_names_that_look_like_markup_are_printed_as_they_are(tmp_path: Path, base: Path) -> None:
    rows = [{**row, "labels": [f"[red]{row['labels'][0]}[/x]"]} for row in make_rows(30)]
    file = write_rows(tmp_path / "issues.jsonl", [{**row, "repo": "[bold]a[/x]"} for row in rows])
    result = run("--train", file, "--test", file, "--encoder", base, "--by-repo")
    assert result.exit_code == 0, result.output
    assert "[bold]a[/x]" in result.output
    wrong = run("--train", file, "--test", file, "--labels", "[red]bug[/x],[/y]")
    assert (wrong.exit_code, "'[/y]'" in wrong.output) == (2, True)


def test_half_a_character_in_a_label_is_read(tmp_path: Path, base: Path) -> None:
    rows = [{**row, "labels": [f"{row['labels'][0]} \ud83d"]} for row in make_rows(30)]
    file = write_rows(tmp_path / "issues.jsonl", rows)
    result = run("--train", file, "--test", file, "--encoder", base)
    assert result.exit_code == 0, result.output


def test_a_recipe_may_be_a_file(tmp_path: Path, base: Path) -> None:
    file = write_rows(tmp_path / "issues.jsonl", make_rows(30))
    recipe, words = tmp_path / "short.toml", ("--train", file, "--test", file, "--encoder", base)
    recipe.write_text("epochs = 1\nmin_steps = 2\nmax_tokens = 16\nheld_out_parts = 0\n")
    out = tmp_path / "out.json"
    result = run(*words, "--recipe", recipe, "--json", out)
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["recipe"]["name"] == "short"
    assert "The recipe short shows no issue unseen: no cut is chosen" in result.output
    recipe.write_text("adapt = 'mlm'\n")
    result = run(*words, "--recipe", recipe)
    assert (result.exit_code, "learns from labels alone" in result.output) == (2, True)


def test_progress_names_every_piece_of_work(tmp_path: Path, base: Path) -> None:
    file = write_rows(tmp_path / "issues.jsonl", make_rows(60))
    result = run("--train", file, "--test", file, "--encoder", base)
    for piece in ("reading issues.jsonl", "encoder 3 of 3: ", "words 3 of 3: ", "testing all"):
        assert piece in result.stderr
    assert "coverage, hindsight" in result.stdout


def test_a_repository_without_labelled_test_issues_is_left_out_of_the_mean(
    tmp_path: Path, base: Path
) -> None:
    train = write_rows(tmp_path / "train", make_rows(60, repos=("a/one", "b/two")))
    rows = make_rows(30, seed=7, repos=("a/one", "b/two"))
    bare = [{**row, "labels": []} if row["repo"] == "b/two" else row for row in rows]
    test = write_rows(tmp_path / "test", bare)
    out = tmp_path / "out.json"
    result = run("--train", train, "--test", test, "--encoder", base, "--by-repo", "--json", out)
    assert result.exit_code == 0, result.output
    assert "No test issue carries a learned label: b/two" in result.output
    answer = json.loads(out.read_text())
    assert set(answer["repositories"]) == {"a/one"}
    assert answer["overall"] == answer["repositories"]["a/one"]


def test_two_runs_give_the_same_figures(tmp_path: Path, base: Path) -> None:
    first, second = (ask(tmp_path, base, two_labels=True) for _ in range(2))
    assert first["overall"] == second["overall"]


def test_few_issues_are_all_trained_on_and_nothing_is_promised(base: Path) -> None:
    few = make_task(filed(make_rows(15)))
    assert [len(rows) for rows in plan_encoders(few, tiny_recipe(), seed=0).unseen] == [0]
    model = train_model(few, tiny_recipe(), seed=0, device=Device("cpu", False), base=base)
    assert model.held_out is None
    assert model.probabilities(few.issues).sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (make_rows(30), ["--labels", "bug,featrue"], "Did you mean 'feature'"),
        (make_rows(30), ["--labels", "bug"], "One class"),
        (
            [
                {**row, "labels": [row["labels"][0].replace("bug", "bug, odd")]}
                for row in make_rows(30)
            ],
            ["--labels", 'feature, "bug, odd",questoin'],
            "has the label 'questoin'",
        ),
        (make_rows(30), ["--recipe", "standart"], "Did you mean 'standard'"),
        (make_rows(30), ["--labels", "bug,feature", "--min-count", "3"], "give one of them"),
        ([{**row, "labels": ["bug"]} for row in make_rows(30)], [], "two are needed"),
        ([{**row, "labels": []} for row in make_rows(30)], [], "has a label"),
    ],
)
def test_bad_input_is_answered_with_advice(
    tmp_path: Path, rows: list[dict[str, Any]], options: list[str], message: str
) -> None:
    file = write_rows(tmp_path / "issues.jsonl", rows)
    result = run("--train", file, "--test", file, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_files_that_do_not_fit_each_other(tmp_path: Path, base: Path) -> None:
    train = write_rows(tmp_path / "train", make_rows(30))
    other = write_rows(tmp_path / "test", [{**row, "labels": ["x"]} for row in make_rows(9)])
    result = run("--train", train, "--test", other, "--encoder", base)
    assert (result.exit_code, "carries one of the learned labels" in result.output) == (2, True)
    elsewhere = write_rows(tmp_path / "elsewhere", make_rows(9, repos=("z/z",)))
    result = run("--train", train, "--test", elsewhere, "--by-repo", "--encoder", base)
    assert (result.exit_code, "repository that is trained on" in result.output) == (2, True)
    result = run("--train", tmp_path / "none", "--test", other)
    assert (result.exit_code, "no such file" in result.output) == (2, True)
    result = run("--train", train, "--test", train, "--encoder", tmp_path)
    assert (result.exit_code, "no encoder there" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("model.safetensors", None, "model.safetensors is missing"),
        ("model.safetensors", b"half", "the encoder cannot be read"),
        ("config.json", b"{", "the encoder cannot be read"),
        ("config.json", b"{}", "the encoder cannot be read"),
        ("tokenizer.json", b"{}", "the encoder cannot be read"),
    ],
)
def test_a_broken_encoder(
    tmp_path: Path, base: Path, name: str, content: bytes | None, told: str
) -> None:
    file = write_rows(tmp_path / "issues.jsonl", make_rows(30))
    broken = tmp_path / "broken"
    shutil.copytree(base, broken)
    (broken / name).unlink()
    if content is not None:
        (broken / name).write_bytes(content)
    result = run("--train", file, "--test", file, "--encoder", broken)
    assert (result.exit_code, told in result.output) == (2, True)


def test_figures_that_cannot_be_written(tmp_path: Path, base: Path) -> None:
    file = write_rows(tmp_path / "issues.jsonl", make_rows(30))
    taken = tmp_path / "taken"
    taken.mkdir()
    for out, message in (
        (tmp_path / "no" / "out.json", "no such folder"),
        (tmp_path / "taken" / ".." / file.name, "holds the issues"),
        (taken, "cannot be written"),
    ):
        result = run("--train", file, "--test", file, "--encoder", base, "--json", out)
        assert result.exit_code == 2
        assert message in result.output


def test_labels_are_given_in_lines_or_with_commas_in_quotes() -> None:
    assert _names('bug, "area: a, b"\nfeature\n') == ("bug", "area: a, b", "feature")

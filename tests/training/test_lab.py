"""The few-label lab on made-up issues: fair draws, nothing run twice, every method by name."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.errors import UserError
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.cli import app
from training.lab.comparison import Trial, method_recipe
from training.lab.series import open_bench, run_series, summary, trials
from training.recipe import Recipe
from training.scoring.measure import average_precision


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    unlabelled = [{**row, "labels": []} for row in make_rows(20, seed=5)]
    train = write(tmp_path / "train.jsonl", [*make_rows(60), *unlabelled])
    return train, write(tmp_path / "test.jsonl", make_rows(40, seed=9))


def small(**changes: object) -> Recipe:
    return tiny_recipe(epochs=2, min_steps=6, held_out_parts=0, **changes)


def test_methods_meet_the_same_draw_and_are_not_run_twice(
    base: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = small(terms={"ust": {"passes": 2, "rounds": 2}})
    bench = open_bench(*files, recipe=recipe, base=base)
    asked = trials(["supervised", "ust", "uda", "cap"], [4], 1)
    out = tmp_path / "results.jsonl"
    rows = run_series(bench, asked, out)
    assert Counter((row["labelled"], row["pool"]) for row in rows) == {(12, 68): 4}
    assert len({row["macro"] for row in rows}) > 1
    assert all(0 < row["average_precision"] <= 1 for row in rows)
    written = out.read_text()
    out.write_text(written + '{"method": "supervi')
    again = run_series(bench, asked, out, before=lambda trial: pytest.fail(f"again: {trial}"))
    assert again == rows
    one_more = trials(["supervised", "ust", "uda", "cap"], [3], 1)[:1]
    run_series(bench, one_more, out)
    assert run_series(bench, one_more, out, before=lambda trial: pytest.fail("again"))
    (twin, *_) = summary(rows)
    assert (twin["method"], twin["seeds"], twin["macro"]) == (
        "supervised",
        1,
        (rows[0]["macro"], 0),
    )


def test_the_same_trial_gives_the_same_figures(
    base: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    bench = open_bench(*files, recipe=small(), base=base)
    asked = [Trial(method="uda", shots=4, seed=1)]
    first, second = (run_series(bench, asked, tmp_path / name) for name in ("a", "b"))
    assert {**first[0], "seconds": 0} == {**second[0], "seconds": 0}


def test_average_precision_is_that_of_the_ranking() -> None:
    found = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    known = np.array([[1, 0], [-1, 0], [1, 0], [0, 0]], dtype=np.int8)
    assert average_precision(found, known) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(found, np.zeros_like(known)) == 0.0


def test_results_of_something_else_are_not_taken_for_ours(
    base: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "results.jsonl"
    asked = trials(["supervised"], [2], 1)
    run_series(open_bench(*files, recipe=small(), base=base), asked, out)
    same = open_bench(*files, recipe=small(name="other", terms={"uda": {"sure": 0.7}}), base=base)
    run_series(same, asked, out, before=lambda trial: pytest.fail("again"))
    others = (
        open_bench(*files, recipe=small(clip=2.0), base=base),
        open_bench(files[0], files[0], recipe=small(), base=base),
    )
    for other in others:
        with pytest.raises(
            UserError, match=r"another recipe, encoder or other issues.*another --out"
        ):
            run_series(other, asked, out)
    with pytest.raises(UserError, match="another --out"):
        run_series(same, asked, files[0])
    with pytest.raises(UserError, match="cannot be written"):
        run_series(same, asked, tmp_path / "no" / "results.jsonl")


def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    base: Path, files: tuple[Path, Path], tmp_path: Path
) -> None:
    strange = write(tmp_path / "strange", [{**row, "labels": ["x"]} for row in make_rows(3)])
    with pytest.raises(UserError, match="carries one of the labels"):
        open_bench(files[0], strange, recipe=small(), base=base)
    with pytest.raises(UserError, match="of the engine 'setfit'"):
        open_bench(*files, recipe=small(engine="setfit"), base=base)
    assert open_bench(*files, recipe=small(encoder=str(base))).base == base
    with pytest.raises(UserError, match=r"uda\.sure must lie between"):
        method_recipe(small(terms={"uda": {"sure": 2}}), "uda")


def test_a_method_that_learns_from_the_unlabelled_is_not_compared_without(
    base: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "train", make_rows(9))
    bench = open_bench(file, file, recipe=small(), base=base)
    with pytest.raises(UserError, match="3 shots leave no issue unlabelled for uda"):
        run_series(bench, [Trial(method="uda", shots=3, seed=0)], tmp_path / "out")


def test_what_does_not_exist_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no method 'umda'.*supervised, ust, uda, cap"):
        method_recipe(small(), "umda")
    words = ["lab", "--train", str(files[0]), "--test", str(files[1]), "--out", str(tmp_path / "o")]
    for more, told in (
        (["--shots", "8,many"], "give whole numbers"),
        (["--methods", ","], "--methods ,: name one"),
    ):
        answer = CliRunner().invoke(app, [*words, *more])
        assert answer.exit_code == 2
        assert told in answer.output

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.training.tiny import filed, make_rows, tiny_recipe
from training.device import Device
from training.scoring import held_out
from training.scoring.held_out import plan_encoders, rows_of, sample_rows, within_means
from training.task import Task, make_task


def task_of(count: int, **rows: Any) -> Task:
    return make_task(filed(make_rows(count, **rows)))


def test_every_issue_is_unseen_by_one_encoder_and_the_last_sees_all() -> None:
    plan = plan_encoders(task_of(90), tiny_recipe(held_out_parts=3), seed=0)
    assert rows_of(plan.unseen).tolist() == list(range(90))
    assert len(plan.trained) == 4
    assert len(plan.trained[-1]) == 90
    for rows, unseen in zip(plan.trained, plan.unseen, strict=True):
        assert not set(rows.tolist()) & set(unseen.tolist())


def test_of_many_issues_a_part_is_spared_by_the_encoder_that_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_out, "MANY", 60)
    monkeypatch.setattr(held_out, "SPARED_AT_MOST", 10)
    plan = plan_encoders(task_of(90), tiny_recipe(), seed=0)
    assert [len(rows) for rows in plan.unseen] == [10]
    assert sorted([*plan.trained[0], *plan.unseen[0]]) == list(range(90))


def test_copies_of_an_issue_stay_on_one_side() -> None:
    rows = make_rows(90)
    rows += [{**row, "number": 1000 + row["number"]} for row in rows]
    plan = plan_encoders(make_task(filed(rows)), tiny_recipe(), seed=0)
    for part in plan.unseen[:-1]:
        here = set(part.tolist())
        assert here == {(row + 90) % 180 for row in here}


def test_nothing_is_held_out_of_one_issue_filed_often() -> None:
    rows = [{**make_rows(1)[0], "labels": [x]} for x in ("bug", "feature")] * 70
    plan = plan_encoders(make_task(filed(rows)), tiny_recipe(), seed=0)
    assert [len(part) for part in plan.unseen] == [0]


@pytest.mark.parametrize(("count", "two_labels"), [(15, False), (27, True)])
def test_few_issues_are_all_needed(count: int, two_labels: bool) -> None:
    plan = plan_encoders(task_of(count, two_labels=two_labels), tiny_recipe(), seed=0)
    assert [len(rows) for rows in plan.trained] == [count]
    assert [len(rows) for rows in plan.unseen] == [0]


def test_one_rare_label_does_not_stop_the_holding_out() -> None:
    rows = make_rows(150)
    rows[0]["labels"] = rows[1]["labels"] = ["docs"]
    plan = plan_encoders(make_task(filed(rows)), tiny_recipe(), seed=0)
    assert len(plan.trained) == 3


def test_a_sample_takes_the_labels_in_turn() -> None:
    known = -np.ones((100, 3), dtype=np.int8)
    known[:90, 0] = 1
    known[90:96, 1] = 1  # the last four carry none
    rows = np.arange(1000, 1100)
    kept = sample_rows(rows, known, most=20, seed=0)
    assert len(kept) == 20
    assert (np.diff(kept) > 0).all()
    assert set(range(1090, 1100)) <= set(kept.tolist())
    assert sample_rows(rows, known, most=100, seed=0) is rows


def test_a_processor_gets_less_to_do_than_a_gpu() -> None:
    recipe = replace(tiny_recipe(), max_passes=10**6)
    assert within_means(recipe, Device("cpu", False)).max_passes == held_out.CPU_PASSES
    assert within_means(recipe, Device("cuda", True)) == recipe
    modest = replace(recipe, max_passes=10)
    assert within_means(modest, Device("cpu", False)) == modest

"""A refit is refused only by proof; corrections are judged by heads that did not see them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.classify import folds
from bot.classify.head import Head, fit_head, refit_labels
from bot.classify.history import History
from bot.classify.memory import Memory, Remembered
from bot.classify.trial import FOLDS, Lesson, Trial, _same_text, compare
from bot.core.types import IssueText, LabelSpec

DIM = 16
SPECS = (LabelSpec("bug"), LabelSpec("docs"))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def history() -> History:
    """Bugs and docs, told apart by vector and word, one in twelve labelled wrongly."""
    rng = np.random.default_rng(3)
    truth = np.where(rng.random(600) < 0.5, 1, -1)
    told = np.where(rng.random(600) < 1 / 12, -truth, truth)
    vectors = unit(np.outer(truth, np.eye(DIM)[0]) * 1.5 + rng.normal(size=(600, DIM)))
    texts = [
        IssueText(f"crash c{n % 40}" if t > 0 else f"typo t{n % 40}", "")
        for n, t in enumerate(truth)
    ]
    known = np.stack([told, -told], axis=1).astype(np.int8)
    return History(texts, vectors, known, np.arange(600.0))


@pytest.fixture(scope="module")
def head(history: History) -> Head:
    return fit_head(history, SPECS, label_vectors=unit(np.eye(2, DIM)), target=0.8)


def corrected(history: History, head: Head, row: int, sign: int) -> tuple[History, Head, Lesson]:
    """The history with one pair of `bug` as a human left it, and the head that learned it."""
    known = history.known.copy()
    known[row, 0] = sign
    taught = replace(history, known=known)
    memory = Memory.of([Remembered(row, history.vectors[row], 0, sign, 1.0)], dim=DIM)
    removed, added = (0, None) if sign < 0 else (None, 0)
    lesson = Lesson("removal" if sign < 0 else "addition", row, removed, added, 1.0, fresh=True)
    return taught, replace(refit_labels(head, taught, ["bug"]), memory=memory), lesson


def sure_of(head: Head, history: History, sign: int) -> int:
    """A row of which the head is sure, so that contradicting it costs something."""
    p = head.probabilities(history.texts, history.vectors)[:, 0]
    return int(p.argmax() if sign < 0 else p.argmin())


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_corrected_issue_comes_out_right_and_nothing_else_suffers(
    history: History, head: Head, sign: int
) -> None:
    taught, new, lesson = corrected(history, head, sure_of(head, history, sign), sign)
    trial = compare(head, new, history=taught, lessons=[lesson], columns=[0])
    (tally,) = trial.fresh.values()
    assert (tally.n, tally.before, tally.after) == (1, 0, 1)
    assert trial.objection == ""
    assert trial.precision_before is not None
    assert trial.precision_before == pytest.approx(trial.precision_after, abs=0.02)


def test_a_past_correction_is_judged_by_a_head_that_forgot_it(history: History, head: Head) -> None:
    row = sure_of(head, history, -1)
    taught, new, lesson = corrected(history, head, row, -1)
    trial = compare(new, new, history=taught, lessons=[replace(lesson, fresh=False)], columns=[0])
    assert trial.fresh == {}
    assert (trial.past["removal"].n, trial.past["removal"].after) == (
        1,
        0,
    )  # by memory alone it was right


def test_a_refit_that_surely_costs_precision_is_refused(history: History, head: Head) -> None:
    reckless = replace(head, cuts=tuple(replace(cut, apply_at=0.01) for cut in head.cuts))
    trial = compare(head, reckless, history=history, lessons=[], columns=[0, 1])
    assert "precision fell" in trial.objection
    assert trial.coverage_after is not None
    assert trial.coverage_before is not None
    assert trial.coverage_after >= trial.coverage_before


def test_doubt_does_not_refuse() -> None:
    trial = Trial(8, 0.9, 0.8, 0.01, 0.5, 0.5, {}, {})
    assert trial.objection == ""
    assert "surely" in replace(trial, bound=-0.021).objection
    assert replace(trial, precision_after=None, bound=None).objection == ""


def test_a_history_of_nothing_is_no_reason_to_refuse(head: Head) -> None:
    empty = History([], np.zeros((0, DIM), np.float32), np.zeros((0, 2), np.int8), np.zeros(0))
    trial = compare(head, head, history=empty, lessons=[], columns=[0])
    assert (trial.issues, trial.objection) == (0, "")


def test_a_swap_is_right_only_if_both_halves_are() -> None:
    swap = Lesson("swap", 0, 0, 1, 1.0, fresh=True)
    rows = [(True, True), (True, False), (False, False), (False, True)]
    assert [swap.right(np.array(row)) for row in rows] == [False, False, False, True]
    assert FOLDS > 1


def test_one_text_is_one_group_however_its_pairs_are_parted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a head which forgot an issue has forgotten all that repeat it."""
    monkeypatch.setattr(folds, "PAIRS", 7)
    turns = np.array(
        [*range(0, 90, 6), 200, 206, 300]
    )  # a chain: neighbours are alike, ends are not
    vectors = unit(np.stack([np.cos(np.radians(turns)), np.sin(np.radians(turns))], axis=1))
    group = _same_text(vectors, np.arange(len(turns)))
    assert len(set(group[:15].tolist())) == 1
    assert group[15] == group[16]
    assert len({group[0], group[15], group[17]}) == 3

"""What is remembered decides the same text, fades with distance, and never works against its own sign."""

from __future__ import annotations

import numpy as np
import pytest

from bot.classify.memory import SAID_NO, SAID_YES, Memory, Remembered


def at(cosine: float) -> np.ndarray:
    """A unit vector at that cosine from `at(1)`."""
    return np.array([cosine, (1 - cosine**2) ** 0.5, 0], dtype=np.float32)


def memory(*pairs: tuple[float, int, int]) -> Memory:
    """From (cosine of the issue's vector, column, sign)."""
    told = [
        Remembered(n, at(cosine), column, sign, 1.0)
        for n, (cosine, column, sign) in enumerate(pairs)
    ]
    return Memory.of(told, dim=3)


def recalled(held: Memory, cosine: float, before: float) -> float:
    p, _ = held.recall(np.array([[before, 0.5]]), at(cosine)[None])
    assert p[0, 1] == 0.5  # the other label was never spoken of
    return float(p[0, 0])


def test_the_same_text_is_judged_as_the_human_did() -> None:
    assert recalled(memory((1, 0, -1)), 1, 0.99) == pytest.approx(SAID_NO)
    assert recalled(memory((1, 0, 1)), 1, 0.01) == pytest.approx(SAID_YES)


def test_a_removal_fades_with_distance() -> None:
    near, nearer, far = (recalled(memory((1, 0, -1)), c, 0.95) for c in (0.8, 0.9, 0.5))
    assert nearer < near < far == pytest.approx(0.95)


def test_an_addition_does_not_reach_what_is_merely_like_it() -> None:
    assert recalled(memory((1, 0, 1)), 0.8, 0.3) == pytest.approx(0.3)


def test_a_correction_never_works_against_its_sign() -> None:
    assert recalled(memory((1, 0, -1)), 1, 0.001) == pytest.approx(0.001)
    assert recalled(memory((1, 0, 1)), 1, 0.999) == pytest.approx(0.999)


def test_of_one_label_the_nearest_counts_and_the_newest_among_equals() -> None:
    assert recalled(memory((0.7, 0, 1), (1, 0, -1)), 1, 0.5) == pytest.approx(SAID_NO)
    assert recalled(memory((1, 0, -1), (1, 0, 1)), 1, 0.5) == pytest.approx(SAID_YES)


def test_the_newest_counts_wherever_it_lies_in_memory() -> None:
    """Products of equal rows differ in their last digit by where a row lies, so that an older word won."""
    rows = np.random.default_rng(0).normal(size=(40, 384)).astype(np.float32)
    for row in rows / np.linalg.norm(rows, axis=1, keepdims=True):
        for count in (2, 5, 17):
            signs = [1] * (count - 1) + [-1]
            told = [Remembered(n, row, 0, sign, 1.0) for n, sign in enumerate(signs)]
            _, said = Memory.of(told, dim=384).recall(np.array([[0.5]]), row[None])
            assert said[0, 0] == -1


def test_an_authors_word_counts_less_for_others_and_fully_for_the_same_text() -> None:
    weak = Memory.of([Remembered(1, at(1), 0, -1, 0.3)], dim=3)
    assert recalled(weak, 1, 0.99) == pytest.approx(SAID_NO)
    assert recalled(weak, 0.9, 0.95) > recalled(memory((1, 0, -1)), 0.9, 0.95)


def test_what_is_forgotten_has_no_say_nor_have_its_repeats() -> None:
    held = memory((1, 0, -1), (0.995, 0, -1), (0.2, 0, -1))
    left = held.without(at(1)[None])
    assert list(left.issues) == [2]
    assert recalled(left, 1, 0.95) == pytest.approx(0.95)


def test_says_which_pairs_a_human_settled() -> None:
    _, said = memory((1, 0, 1), (1, 1, -1)).recall(np.full((2, 2), 0.5), np.stack([at(1), at(0.9)]))
    assert said.tolist() == [[1, -1], [0, 0]]


def test_knows_exactly_what_it_was_told() -> None:
    held = memory((1, 0, -1))
    assert held.knows(0, 0, -1)
    assert not held.knows(0, 0, 1)
    assert not held.knows(1, 0, -1)


def test_what_all_issues_have_in_common_makes_no_two_alike() -> None:
    """A tuned encoder's vectors all lean one way: from the origin their cosine is .9, from the mean
    it is 0."""
    common = np.array([0, 0, 3], dtype=np.float32)
    one, other = (np.eye(3, dtype=np.float32)[:2] + common) / np.float32(10**0.5)
    held = Memory.of([Remembered(0, one, 0, -1, 1.0)], dim=3)
    before, centre = np.array([[0.95]]), common / np.float32(10**0.5)
    assert held.recall(before, other[None])[0][0, 0] < 0.5
    assert held.recall(before, other[None], centre=centre)[0][0, 0] == before[0, 0]
    assert held.recall(before, one[None], centre=centre)[0][0, 0] == pytest.approx(SAID_NO)

"""Issues that an encoder learned from teach its heads, and choose nothing: there its vectors know the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bot.classify.folds import forward_blocks
from bot.classify.head import Head, fit_head
from bot.classify.history import History
from bot.classify.lookback import ENOUGH
from bot.core.evidence import known_pairs
from bot.core.types import IssueText, LabelSpec

LABELS = ("bug", "docs")
SPECS = tuple(LabelSpec(name) for name in LABELS)
WORDS = (("crash", "traceback", "fails"), ("typo", "guide", "manual"))
DIM = 16
NAMES = np.eye(2, DIM, dtype=np.float32)
TUNED_ON = 500


def repository(n: int, *, seed: int = 0) -> History:
    """Words are right in four issues of five, and so are vectors; but they know the labels of the first
    `TUNED_ON` issues."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(2, size=n)
    said = np.where(rng.random(n) < 0.8, kinds, 1 - kinds)
    texts = [
        IssueText(" ".join(rng.choice(WORDS[kind], 3)), f"w{rng.integers(200)}") for kind in said
    ]
    vectors = rng.normal(size=(n, DIM)) * 0.3
    seen = np.where((rng.random(n) < 0.8) | (np.arange(n) < TUNED_ON), kinds, 1 - kinds)
    vectors += 2 * NAMES[seen]
    return History(
        texts=texts,
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        known=known_pairs([{LABELS[kind]} for kind in kinds], LABELS),
        times=np.arange(n, dtype=np.float64),
    )


def first(rows: int, of: History) -> History:
    return replace(of, seen=np.arange(len(of.times)) < rows)


def fit(history: History) -> Head:
    return fit_head(history, SPECS, label_vectors=NAMES)


def promised(head: Head) -> bool:
    return any(cut.apply_at is not None for cut in head.cuts)


def test_nothing_is_promised_from_what_the_encoder_learned() -> None:
    history = repository(TUNED_ON + 60)
    assert promised(fit(history)), "or this test shows nothing"
    head = fit(first(TUNED_ON, history))
    assert not promised(head), "the words are right in four of five, and nine were promised"
    told = f"{TUNED_ON} labelled issues that the encoder learned from prove nothing"
    assert all(told in cut.why_muted for cut in head.cuts)
    assert head.expectation.n <= 60


def test_the_weights_of_the_sides_come_from_what_it_never_saw() -> None:
    history = repository(TUNED_ON + 60)
    vector, words = fit(history).combiner.coefficients[:, :2].mean(axis=0)
    assert vector > words
    vector, words = fit(first(TUNED_ON, history)).combiner.coefficients[:, :2].mean(axis=0)
    assert words > 3 * vector


def test_too_few_new_issues_promise_nothing_and_choose_no_weights() -> None:
    history = repository(TUNED_ON + ENOUGH - 1)
    plain, head = fit(history), fit(first(TUNED_ON, history))
    assert not promised(head)
    assert head.expectation.n == 0
    np.testing.assert_array_equal(head.combiner.coefficients, plain.combiner.coefficients)
    everything = fit(first(len(history.times), history))
    assert not promised(everything)


def test_an_encoder_that_saw_nothing_is_as_it_was() -> None:
    history = repository(120)
    assert fit(first(0, history)).to_bytes() == fit(history).to_bytes()


def test_what_is_not_scored_teaches_all_the_same() -> None:
    informed = np.ones(200, dtype=np.bool_)
    scored = np.arange(200) >= 150
    blocks = forward_blocks(informed, scored=scored)
    assert blocks[0].past == slice(0, 150)
    assert blocks[-1].now.stop == 200
    assert not forward_blocks(informed, scored=np.zeros(200, dtype=np.bool_))


def test_some_issues_of_a_history_stay_what_they_were() -> None:
    history = first(2, repository(4)).only([1, 3])
    assert history.seen is not None
    assert history.seen.tolist() == [True, False]
    assert history.judges.tolist() == [False, True]

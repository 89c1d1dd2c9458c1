"""The head from zero issues up: it learns, promises, keeps, and comes back from bytes the same."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import load, save

from bot.classify.head import Head, fit_head, fit_heads, refit_labels
from bot.classify.history import History
from bot.classify.memory import Memory, Remembered
from bot.core.evidence import known_pairs
from bot.core.measure import measure
from bot.core.types import IssueText, LabelSpec
from bot.errors import UserError

LABELS = ("bug", "docs", "area/db", "area/ui")
SPECS = tuple(LabelSpec(name) for name in LABELS)
WORDS = (
    ("crash", "traceback", "fails", "broken"),
    ("typo", "guide", "manual", "wording"),
    ("query", "index", "migration", "rows"),
    ("button", "window", "colour", "layout"),
)
DIM = 16
NAMES = np.eye(4, DIM, dtype=np.float32)


def repository(n: int, *, seed: int = 0, unlabelled: float = 0.2) -> History:
    """Issues whose words and vectors both tell their labels, most of the time."""
    rng = np.random.default_rng(seed)
    texts, sets, vectors = [], [], []
    for _ in range(n):
        kind, area = rng.integers(2), 2 + rng.integers(2)
        said = [*rng.choice(WORDS[kind], 3), *rng.choice(WORDS[area], 3), f"w{rng.integers(200)}"]
        vector = NAMES[kind] + NAMES[area] + rng.normal(size=DIM) * 0.35
        texts.append(IssueText(" ".join(said[:4]), " ".join(said[3:])))
        vectors.append(vector / np.linalg.norm(vector))
        sets.append(set() if rng.random() < unlabelled else {LABELS[kind], LABELS[area]})
    return History(
        texts=texts,
        vectors=np.array(vectors, dtype=np.float32).reshape(n, DIM),
        known=known_pairs(sets, LABELS),
        times=np.arange(n, dtype=np.float64),
    )


def fit(history: History, **more: object) -> Head:
    return fit_head(history, SPECS, label_vectors=NAMES, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def head() -> Head:
    return fit(repository(400))


def test_it_keeps_its_promise_on_issues_to_come(head: Head) -> None:
    arriving = repository(300, seed=1, unlabelled=0)
    scores = head.score(arriving.texts, arriving.vectors)
    applied = np.array(
        [[s.apply_at is not None and s.probability >= s.apply_at for s in row] for row in scores]
    )
    found = measure(applied, arriving.known)
    assert found.precision is not None
    assert found.precision >= 0.9
    assert found.coverage is not None
    assert found.coverage > 0.9


def test_heads_of_several_targets_differ_in_cuts_alone(head: Head) -> None:
    history = repository(400)
    low, high = fit_heads(history, SPECS, label_vectors=NAMES, targets=(0.7, 0.9))
    assert high.cuts == head.cuts
    assert high.expectation == head.expectation
    assert (low.target, high.target) == (0.7, 0.9)
    assert low.expectation.coverage is not None
    assert high.expectation.coverage is not None
    assert low.expectation.coverage >= high.expectation.coverage
    assert np.array_equal(
        low.probabilities(history.texts, history.vectors),
        head.probabilities(history.texts, history.vectors),
    )


def test_it_says_what_it_expects(head: Head) -> None:
    expected = head.expectation
    assert expected.n > 150
    assert expected.precision is not None
    assert expected.lower_bound is not None
    assert expected.precision >= expected.lower_bound >= 0.9
    assert expected.muted == {}
    assert [row.label for row in expected.labels] == list(LABELS)


def test_no_history_is_zero_shot_and_only_suggests() -> None:
    empty = fit(repository(0))
    arriving = repository(100, seed=1, unlabelled=0)
    scores = empty.score(arriving.texts, arriving.vectors)
    assert all(score.apply_at is None for row in scores for score in row)
    assert all("little more than its name" in why for why in empty.expectation.muted.values())
    best = np.array([[s.probability for s in row[:2]] for row in scores]).argmax(axis=1)
    assert (arriving.known[np.arange(100), best] > 0).mean() > 0.9


@pytest.mark.parametrize("n", [1, 2, 7, 25, 60])
def test_any_small_history_gives_a_head_that_does_not_overreach(n: int) -> None:
    small, arriving = fit(repository(n)), repository(20, seed=2)
    p = small.probabilities(arriving.texts, arriving.vectors)
    assert p.shape == (20, 4)
    assert np.isfinite(p).all()
    assert n > 25 or not small.expectation.coverage


def test_the_first_examples_do_not_spoil_what_the_names_say() -> None:
    """From zero-shot to hundreds, no size is much worse than the one before it."""
    arriving = repository(400, seed=1, unlabelled=0)
    shares = []
    for n in (0, 2, 4, 8, 16, 64, 256):
        p = fit(repository(n, unlabelled=0)).probabilities(arriving.texts, arriving.vectors)
        kinds, areas = p[:, :2].argmax(axis=1), 2 + p[:, 2:].argmax(axis=1)
        rows = np.arange(400)
        shares.append(
            ((arriving.known[rows, kinds] > 0) & (arriving.known[rows, areas] > 0)).mean()
        )
    assert all(after > before - 0.03 for before, after in pairwise(shares))
    assert shares[-1] >= shares[0]


def test_unlabelled_issues_teach_no_label_away(head: Head) -> None:
    """Two hundred more issues that nobody labelled leave the rates of labels where they were."""
    history = repository(400)
    silent = repository(200, seed=3, unlabelled=1.0)
    more = History(
        texts=[*history.texts, *silent.texts],
        vectors=np.vstack([history.vectors, silent.vectors]),
        known=np.vstack([history.known, silent.known]),
        times=np.arange(600, dtype=np.float64),
    )
    arriving = repository(100, seed=1)
    with_them = fit(more).probabilities(arriving.texts, arriving.vectors)
    without = head.probabilities(arriving.texts, arriving.vectors)
    assert with_them.mean(axis=0) == pytest.approx(without.mean(axis=0), abs=0.03)


def test_a_label_never_set_is_muted_with_the_reason() -> None:
    history = repository(300)
    known = history.known.copy()
    known[known[:, 1] > 0, 1] = -1
    found = fit(replace(history, known=known))
    assert found.cuts[1].apply_at is None
    assert "0 of the 5 issues needed have it" in found.expectation.muted["docs"]


def test_bytes_bring_back_the_same_head(head: Head) -> None:
    again = Head.from_bytes(head.to_bytes())
    arriving = repository(50, seed=1)
    before = head.probabilities(arriving.texts, arriving.vectors)
    after = again.probabilities(arriving.texts, arriving.vectors)
    assert after == pytest.approx(before, abs=2e-3)
    assert again.expectation == head.expectation
    assert again.cuts == head.cuts
    assert (again.labels, again.exclusive, again.target) == (
        head.labels,
        head.exclusive,
        head.target,
    )
    assert json.loads(json.dumps(head.expectation.as_dict()))["target"] == 0.9


@pytest.mark.parametrize("stored", [b"", b"not a head", b"\x80\x04K\x01.", b"\xff" * 64])
def test_what_is_no_head_is_refused(stored: bytes) -> None:
    with pytest.raises(UserError, match="fit it again"):
        Head.from_bytes(stored)


def test_another_version_or_other_tensors_are_refused(head: Head) -> None:
    tensors = load(head.to_bytes())
    with pytest.raises(UserError, match="another version"):
        Head.from_bytes(save(tensors, metadata={"head": json.dumps({"version": 99})}))
    with pytest.raises(UserError, match="not a stored head"):
        Head.from_bytes(save(tensors))


@pytest.mark.parametrize("days", [1, 100])
def test_what_turned_silences_as_long_as_it_tells_of_today(days: int) -> None:
    """Without a silent share no evidence comes after our first day: silence would never end."""
    turned = repository(400)
    turned.known[385:] *= -1
    later = repository(1, seed=1)
    head = fit(
        History(
            texts=[*turned.texts, *later.texts],
            vectors=np.concatenate([turned.vectors, later.vectors]),
            known=np.concatenate([turned.known, later.known]),
            times=np.append(turned.times, 400 + 86400.0 * days),
            unbiased=np.arange(401) < 400,
        )
    )
    reasons = {cut.why_muted for cut in head.cuts}
    assert any("until newer ones are right" in reason for reason in reasons) == (days == 1)
    assert any(cut.apply_at is not None for cut in head.cuts) == (days == 100)


def test_the_same_history_gives_the_same_bytes(head: Head) -> None:
    assert fit(repository(400)).to_bytes() == head.to_bytes()


def test_refitting_a_label_moves_it_and_nothing_else(head: Head) -> None:
    history = repository(400)
    known = history.known.copy()
    known[known[:, 0] != 0, 0] *= -1
    moved = refit_labels(head, replace(history, known=known), ["bug"])
    arriving = repository(100, seed=1)
    before = head.probabilities(arriving.texts, arriving.vectors)
    after = moved.probabilities(arriving.texts, arriving.vectors)
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] < 0
    # A sibling sees the moved label as its rival; the other family does not.
    assert after[:, 2:] == pytest.approx(before[:, 2:])
    assert moved.cuts == head.cuts
    with pytest.raises(KeyError):
        refit_labels(head, history, ["gone"])


def test_refitting_on_the_same_history_changes_little(head: Head) -> None:
    arriving = repository(100, seed=1)
    again = refit_labels(head, repository(400), ["bug"])
    before = head.probabilities(arriving.texts, arriving.vectors)
    assert again.probabilities(arriving.texts, arriving.vectors) == pytest.approx(before, abs=0.03)


def test_insiders_are_told_apart_and_other_associations_are_not() -> None:
    history = replace(repository(300), associations=["MEMBER", "NONE", "CONTRIBUTOR"] * 100)
    found = fit(history)
    one = repository(1, seed=1)
    p = {
        who: found.probabilities(one.texts, one.vectors, [who])
        for who in ("OWNER", "NONE", "CONTRIBUTOR")
    }
    assert (p["NONE"] == p["CONTRIBUTOR"]).all()
    assert (p["OWNER"] != p["NONE"]).any()


def test_histories_out_of_order_or_of_unequal_lengths_are_refused() -> None:
    history = repository(5)
    with pytest.raises(ValueError, match="oldest first"):
        replace(history, times=history.times[::-1])
    with pytest.raises(ValueError, match="differ in length"):
        replace(history, texts=history.texts[1:])


def test_a_correction_reaches_what_is_like_it_from_the_mean(head: Head) -> None:
    common = np.zeros(DIM, dtype=np.float32)
    common[-1] = 3
    one, other = (np.eye(2, DIM, dtype=np.float32) + common) / np.float32(10**0.5)
    told = Memory.of([Remembered(0, one, 0, -1, 1.0)], dim=DIM)
    text = [IssueText("crash traceback", "it fails and is broken")]
    for centre, reached in ((common * 0, True), (common / np.float32(10**0.5), False)):
        plain = replace(head, sides=replace(head.sides, centre=centre))
        before = plain.probabilities(text, other[None])[0, 0]
        after = replace(plain, memory=told).probabilities(text, other[None])[0, 0]
        assert (after < before) == reached

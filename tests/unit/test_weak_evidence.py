"""Our own labels that nobody took off: they teach a head a little, and judge nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from bot.classify.head import fit_head
from bot.classify.history import WEAK, History
from bot.core.evidence import unopposed
from bot.core.provenance import AUTHOR
from bot.core.types import ActorKind, LabelEvent
from tests.unit.test_seen_issues import NAMES, SPECS, first, promised, repository

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(label: str, by: ActorKind, *, added: bool = True, day: int = 0) -> LabelEvent:
    return LabelEvent(label, added, by, by, START + timedelta(days=day))


def test_only_what_we_set_and_the_issue_still_has() -> None:
    events = [
        event("bug", "us"),
        event("docs", "human"),
        event("ui", "us"),
        event("ui", "human", added=False, day=1),
        event("api", "us"),
        event("api", "human", day=1),
        event("gone", "us"),
        event("ci", "bot"),
    ]
    labels = ["bug", "docs", "ui", "api", "gone", "ci", "plain"]
    current = {"bug", "docs", "api", "ci", "plain"}
    assert unopposed(labels, current=current, events=events) == [True] + 6 * [False]


def test_a_person_s_word_counts_more_and_overrules_ours() -> None:
    assert 0 < WEAK < AUTHOR
    weak = np.ones((3, 2), dtype=np.bool_)
    known = np.array([[1, -1], [0, -1], [0, 0]], dtype=np.int8)
    history = replace(repository(3), known=known, weak=weak)
    told, weights = history.told
    assert told.tolist() == [[1, -1], [1, -1], [1, 1]]
    assert weights is not None
    np.testing.assert_allclose(weights, [[1, 1], [WEAK, 1], [WEAK, WEAK]])
    assert history.known.tolist() == [[1, -1], [0, -1], [0, 0]], "it is known nowhere else"


def ours_on(history: History, rows: slice) -> History:
    """As if people had labelled none of `rows`, and we all, rightly."""
    known, weak = history.known.copy(), np.zeros(history.known.shape, dtype=np.bool_)
    weak[rows] = known[rows] > 0
    known[rows] = 0
    return replace(history, known=known, weak=weak)


def test_it_teaches() -> None:
    history = ours_on(repository(60), slice(20, None))
    taught, untaught = (
        fit_head(told, SPECS, label_vectors=0 * NAMES)
        for told in (history, replace(history, weak=None))
    )
    asked = first(0, repository(200, seed=1))
    truth = asked.known > 0
    sure, unsure = (
        np.log(head.probabilities(asked.texts, asked.vectors)[truth]).mean()
        for head in (taught, untaught)
    )
    assert sure > unsure


def test_it_proves_nothing() -> None:
    history = repository(400)
    assert promised(fit_head(history, SPECS, label_vectors=NAMES)), "or this test shows nothing"
    head = fit_head(ours_on(history, slice(0, None)), SPECS, label_vectors=NAMES)
    assert not promised(head)
    assert head.expectation.n == 0
    assert all(row.positives == row.right == row.wrong == 0 for row in head.expectation.labels)


def test_what_proves_a_cut_is_what_people_said() -> None:
    history = ours_on(repository(600), slice(400, None))
    with_ours, without = (
        fit_head(told, SPECS, label_vectors=NAMES).expectation
        for told in (history, replace(history, weak=None))
    )
    assert (with_ours.n, with_ours.pairs) == (without.n, without.pairs)
    for one, other in zip(with_ours.labels, without.labels, strict=True):
        assert (one.positives, one.negatives) == (other.positives, other.negatives)

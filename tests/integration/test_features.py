"""What learning reads of a repository: outlines, vectors in their order, texts only where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy.orm import Session

from bot.classify.counted import WordCache
from bot.classify.encoder import Encoder
from bot.core.evidence import by_people
from bot.core.families import infer_exclusive
from bot.core.rules import Rules
from bot.core.types import ActorKind, LabelEvent, RepositoryLabel
from bot.jobs.context import Context, key_of
from bot.jobs.learning.features import count_words_of, embed, embedded
from bot.store import corrections, issues, label_events, labels, outlines, vectors
from bot.store.engine import Database
from bot.store.outlines import Outline
from tests.integration.stored import NOW, add_repository, an_issue

KEY = {"bundle": "b", "backend": "int8", "text_version": 1}


def filed(session: Session, count: int) -> list[Outline]:
    add_repository(session)
    for number in range(1, count + 1):
        told = an_issue(number, title=f"It breaks {number}", body="when open" * number)
        issues.upsert(session, 70, told, as_filed=False)
    return outlines.of_repository(session, 70)


def test_an_outline_is_the_issue_without_its_text(session: Session) -> None:
    found = filed(session, 3)
    stored = issues.history(session, 70)
    assert [(one.id, one.number, one.created_at, one.labels) for one in found] == [
        (one.id, one.number, one.created_at, one.labels) for one in stored
    ]
    assert outlines.texts(session, [found[1].id]) == {
        found[1].id: (stored[1].title, stored[1].body)
    }


def test_what_teaches_nothing_is_left_out(session: Session) -> None:
    add_repository(session)
    for number, changes in enumerate(({"is_pull_request": True}, {"state": "spam"}, {}), 1):
        issues.upsert(session, 70, an_issue(number, **changes), as_filed=True)
    assert [one.number for one in outlines.of_repository(session, 70)] == [3]


def test_an_edit_is_seen_and_a_label_is_none(session: Session) -> None:
    before = filed(session, 3)
    told = an_issue(2, title="It breaks 2", body="edited", labels=frozenset())
    issues.upsert(session, 70, told, as_filed=False)
    told = an_issue(3, title="It breaks 3", body="when open" * 3, labels=frozenset({"other"}))
    issues.upsert(session, 70, told, as_filed=False)
    after = outlines.of_repository(session, 70)
    assert [a.text == b.text for a, b in zip(after, before, strict=True)] == [True, False, True]


def test_vectors_come_in_the_order_asked_for(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "AT_ONCE", 2)
    ids = [one.id for one in filed(session, 5)]
    rows = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    vectors.save(session, zip(ids[:4], rows, strict=False), **KEY)
    vectors.save(session, [(ids[4], rows[0])], **{**KEY, "text_version": 2})
    found, there = vectors.matrix(session, ids[::-1], dim=8, **KEY)
    assert there.tolist() == [False, True, True, True, True]
    assert np.array_equal(found[1:], rows[3::-1])
    assert not found[0].any()


class Read:
    """How many texts were read, call by call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[int] = []
        texts = outlines.texts

        def noted(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
            self.calls.append(len(ids))
            return texts(session, ids)

        monkeypatch.setattr(outlines, "texts", noted)


def test_a_text_is_read_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with context.database.session() as session:
        found = filed(session, 6)
    read = Read(monkeypatch)
    first = embed(context, context.encoder, found), count_words_of(context, found)
    again = embed(context, context.encoder, found), count_words_of(context, found)
    assert read.calls == [6, 6]  # one part to embed, one to count
    assert np.array_equal(first[0], again[0])
    assert (first[1] != again[1]).nnz == 0


def test_what_was_counted_is_read_by_no_worker_again(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with context.database.session() as session:
        found = filed(session, 6)
    before = count_words_of(context, found[:5])
    read = Read(monkeypatch)
    after = count_words_of(replace(context, words=WordCache()), found)
    assert read.calls == [1]
    assert (after[:5] != before).nnz == 0
    edited = [replace(found[0], text=1), *found[1:]]
    count_words_of(replace(context, words=WordCache()), edited)
    assert read.calls == [1, 1]


def test_only_what_is_wanted_is_embedded(context: Context) -> None:
    with context.database.session() as session:
        found = filed(session, 3)
    matrix, there = embedded(context, context.encoder, found, new=[found[2].id])
    assert there.tolist() == [False, False, True]
    assert np.array_equal(matrix[2], embed(context, context.encoder, found)[2])


def test_a_vector_of_a_text_that_changed_meanwhile_is_not_kept(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would pass for the vector of the new text for ever."""
    with context.database.session() as session:
        found = filed(session, 3)
    encode = type(context.encoder).encode

    def edited_meanwhile(encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        with context.database.session() as session:
            issues.upsert(session, 70, an_issue(2, body="edited"), as_filed=False)
        return encode(encoder, texts)

    with monkeypatch.context() as patch:
        patch.setattr(type(context.encoder), "encode", edited_meanwhile)
        old = embed(context, context.encoder, found)
    with context.database.session() as session:
        missing = vectors.missing(session, [one.id for one in found], **key_of(context.encoder))
    assert missing == [found[1].id]
    assert not np.allclose(embed(context, context.encoder, found)[1], old[1], atol=1e-3)


def test_a_text_that_is_being_written_is_left_out_rather_than_waited_for(
    database: Database,
) -> None:
    with database.session() as session:
        found = filed(session, 2)
        read = outlines.texts(session, [one.id for one in found])
    with database.session() as writer, database.session() as reader:
        issues.upsert(writer, 70, an_issue(1, body="edited"), as_filed=False)
        assert outlines.unchanged(reader, read) == {found[1].id}


def test_an_author_who_joins_the_project_is_counted_anew(context: Context) -> None:
    with context.database.session() as session:
        (one,) = filed(session, 1)
    before = count_words_of(context, [one])
    after = count_words_of(context, [replace(one, author_association="MEMBER")])
    assert after.nnz == before.nnz + 1


def test_groups_are_those_that_the_events_tell(session: Session) -> None:
    """The database sums up what people set; the long way round reads every event."""
    add_repository(session)
    names = ["kind/a", "kind/b", "kind/c"]
    labels.sync(session, 70, [RepositoryLabel(n, name, "") for n, name in enumerate(names, 1)])
    who: list[ActorKind] = ["human", "us", "bot", "form"]
    rng = np.random.default_rng(0)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(1, 121):
        chosen = [names[number % 3], *([names[0]] if rng.random() < 0.3 else [])]
        told = an_issue(number, labels=frozenset(chosen), created_at=NOW)
        issue_id = issues.upsert(session, 70, told, as_filed=True)
        events = [
            LabelEvent(name, added, "x", who[rng.integers(4)], at + timedelta(days=int(day)))
            for name in chosen
            for added, day in ((False, 2), (True, rng.integers(1, 4)))
            if rng.random() < 0.6
        ]
        label_events.record(session, issue_id, events, source="history")
    events = label_events.of_repository(session, 70)
    sets = [by_people(one.labels, events.get(one.id, ())) for one in issues.history(session, 70)]
    found = corrections.people_sets(session, 70)
    assert sorted(map(sorted, found)) == sorted(sorted(one) for one in sets)
    assert infer_exclusive(found, names, Rules()) == infer_exclusive(sets, names, Rules())

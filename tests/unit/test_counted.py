"""Counts from memory are the counts of the text, and what changed is counted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import pytest

from bot.classify import counted
from bot.classify.counted import VERSION, Filed, WordCache
from bot.classify.sides import author_marks
from bot.classify.words import count_words
from bot.core.text import issue_text

FILED = [
    Filed(1, "It crashes on start", "## Steps\nopen the file", "NONE"),
    Filed(2, "Docs are wrong", "", "MEMBER"),
    Filed(3, "It crashes again", "open the file twice", "NONE"),
]


def fresh(filed: list[Filed]) -> object:
    texts = [issue_text(one.title, one.body) for one in filed]
    return count_words(texts, extra=author_marks([one.association for one in filed]))


def same(left: object, right: object) -> bool:
    return (left != right).nnz == 0  # type: ignore[attr-defined]


@pytest.fixture
def counted_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts were read, call by call."""
    read: list[int] = []
    count = counted._count

    def noted(filed: list[Filed], keys: dict[int, int]) -> object:
        read.append(len(filed))
        return count(filed, keys)

    monkeypatch.setattr(counted, "_count", noted)
    return read


def test_counts_are_those_of_the_texts(counted_rows: list[int]) -> None:
    words = WordCache()
    assert same(words.counts(FILED), fresh(FILED))
    assert same(words.counts(FILED[::-1]), fresh(FILED[::-1]))
    assert counted_rows == [3]


def test_what_changed_is_counted_again(counted_rows: list[int]) -> None:
    words = WordCache()
    words.counts(FILED)
    edited = [
        FILED[0],
        FILED[1]._replace(title="Docs are right"),
        FILED[2]._replace(association="OWNER"),
    ]
    assert same(words.counts(edited), fresh(edited))
    assert counted_rows == [3, 2]


class Shelf:
    """Texts, and the counts of those that were met before; what was asked of each."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.rows: dict[tuple[int, int], bytes] = {}

    def texts(self, ids: Sequence[int]) -> list[Filed]:
        self.asked.append(list(ids))
        return [one for one in FILED if one.issue_id in ids]

    def kept(self, keys: Mapping[int, int]) -> dict[int, bytes]:
        return {one[0]: self.rows[one] for one in keys.items() if one in self.rows}

    def keep(self, keys: Mapping[int, int], counts: Mapping[int, bytes]) -> None:
        self.rows.update(((id_, keys[id_]), packed) for id_, packed in counts.items())


def test_only_what_is_not_in_memory_is_read_and_a_part_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counted, "AT_ONCE", 2)
    words, shelf = WordCache(), Shelf()
    assert same(words.counts_of({1: 7, 2: 7, 3: 7}, shelf), fresh(FILED))
    assert same(words.counts_of({3: 8, 2: 7}, shelf), fresh([FILED[2], FILED[1]]))
    assert shelf.asked == [[1, 2], [3], [3]]


def test_what_is_kept_elsewhere_is_not_counted_again() -> None:
    shelf = Shelf()
    WordCache().counts_of({1: 7, 2: 7}, shelf)
    assert same(WordCache().counts_of({3: 7, 2: 7, 1: 8}, shelf), fresh(FILED[::-1]))
    assert shelf.asked == [[1, 2], [3, 1]]


def test_counts_as_bytes_are_those_of_their_version() -> None:
    """Another sum means that texts are counted otherwise: then `VERSION` has to be another one, too."""
    shelf = Shelf()
    WordCache().counts_of({1: 0, 2: 0, 3: 0}, shelf)
    assert (VERSION, crc32(b"".join(shelf.rows.values()))) == (1, 1158207361)


def test_the_least_recently_used_go_first(counted_rows: list[int]) -> None:
    words = WordCache(capacity=1200)
    assert same(words.counts(FILED), fresh(FILED))
    words.counts(FILED[1:])
    words.counts(FILED[:1])
    assert counted_rows == [3, 1]


def test_memory_is_bounded_by_bytes_and_not_by_issues(counted_rows: list[int]) -> None:
    words = WordCache(capacity=1800)
    log = Filed(9, "It crashes", " ".join(f"frame{n}" for n in range(1000)), "NONE")
    words.counts(FILED)
    words.counts([log])  # takes the room of all three
    words.counts(FILED)
    edited = FILED[2]._replace(title="Again")
    words.counts([edited])
    words.counts([edited])
    words.counts(FILED[:2])  # an issue that was counted again counts once
    assert counted_rows == [3, 1, 3, 1]


def test_no_issues_no_counts() -> None:
    assert WordCache().counts([]).shape[0] == 0

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


class Shelf:
    """Texts, and the counts of those that were met before; what was asked of each."""

    def __init__(self, filed: Sequence[Filed] = FILED) -> None:
        self.filed = filed
        self.asked: list[list[int]] = []
        self.rows: dict[tuple[int, int], bytes] = {}

    def texts(self, ids: Sequence[int]) -> list[Filed]:
        self.asked.append(list(ids))
        return [one for one in self.filed if one.issue_id in ids]

    def kept(self, keys: Mapping[int, int]) -> dict[int, bytes]:
        return {one[0]: self.rows[one] for one in keys.items() if one in self.rows}

    def keep(self, keys: Mapping[int, int], counts: Mapping[int, bytes]) -> None:
        self.rows.update(((id_, keys[id_]), packed) for id_, packed in counts.items())


def counts(words: WordCache, filed: Sequence[Filed], read: list[int]) -> object:
    """Counts of these texts, none of them kept elsewhere; `read` gets how many had to be read."""
    shelf = Shelf(filed)
    found = words.counts_of({one.issue_id: hash(one) for one in filed}, shelf)
    read += map(len, shelf.asked)
    return found


def test_counts_are_those_of_the_texts() -> None:
    words, read = WordCache(), list[int]()
    assert same(counts(words, FILED, read), fresh(FILED))
    assert same(counts(words, FILED[::-1], read), fresh(FILED[::-1]))
    assert read == [3]


def test_what_changed_is_counted_again() -> None:
    words, read = WordCache(), list[int]()
    counts(words, FILED, read)
    edited = [
        FILED[0],
        FILED[1]._replace(title="Docs are right"),
        FILED[2]._replace(association="OWNER"),
    ]
    assert same(counts(words, edited, read), fresh(edited))
    assert read == [3, 2]


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


def test_the_least_recently_used_go_first() -> None:
    words, read = WordCache(capacity=1200), list[int]()
    assert same(counts(words, FILED, read), fresh(FILED))
    counts(words, FILED[1:], read)
    counts(words, FILED[:1], read)
    assert read == [3, 1]


def test_memory_is_bounded_by_bytes_and_not_by_issues() -> None:
    words, read = WordCache(capacity=1800), list[int]()
    log = Filed(9, "It crashes", " ".join(f"frame{n}" for n in range(1000)), "NONE")
    counts(words, FILED, read)
    counts(words, [log], read)  # takes the room of all three
    counts(words, FILED, read)
    edited = FILED[2]._replace(title="Again")
    counts(words, [edited], read)
    counts(words, [edited], read)
    counts(words, FILED[:2], read)  # an issue that was counted again counts once
    assert read == [3, 1, 3, 1]


def test_no_issues_no_counts() -> None:
    assert WordCache().counts_of({}, Shelf()).shape[0] == 0

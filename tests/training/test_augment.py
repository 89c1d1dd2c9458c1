"""Augmentations: prose changes, code does not, the same seed says the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.types import IssueText
from bot.errors import UserError
from training.augment import FAMILIES, MIXED, augmentation
from training.augment.eda import GROUPS, SYNONYMS
from training.augment.prose import FENCE, blocks, rejoin
from training.augment.structure import Crop, Mask
from training.augment.tfidf import fit_replacement

CODE = "```python\nif a  and  b:\n    crash()\n\n    fail()\n```"
BODY = f"""The window will crash when I open the settings page with `git  push` twice.

## Steps
1. open the old file
2. wait and see it fail

{CODE}

## What did you expect?
No error at all, please fix it.

~~~
~~~ not closed"""
ISSUE = IssueText("Crash when the server is slow", BODY)
COLLECTION = [
    ISSUE,
    IssueText("The docs are wrong", "the page of the settings is missing the file"),
    IssueText("Add the option", "the server should allow the new setting please"),
]
NAMES = [*FAMILIES, MIXED]


def code_of(body: str) -> list[tuple[str, ...]]:
    return [block.lines for block in blocks(body) if block.code]


@pytest.mark.parametrize("name", NAMES)
def test_code_is_kept_as_it_is_or_left_out_whole(name: str) -> None:
    read = augmentation(name, COLLECTION)
    whole = code_of(BODY)
    for seed in range(60):
        assert all(block in whole for block in code_of(read(ISSUE, (seed,)).body))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_reads_the_same_and_others_differ(name: str) -> None:
    read, again = (augmentation(name, COLLECTION) for _ in range(2))
    readings = [read(ISSUE, (3, seed)) for seed in range(12)]
    assert readings == [again(ISSUE, (3, seed)) for seed in range(12)]
    assert len(set(readings)) > 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [IssueText("", ""), IssueText("a", ""), IssueText("", "```\nx")])
def test_there_may_be_hardly_anything_to_read(name: str, text: IssueText) -> None:
    read = augmentation(name, [text])
    for seed in range(8):
        found = read(text, (seed,))
        assert code_of(found.body) == code_of(text.body)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(title=st.text(max_size=30), body=st.text(max_size=200), seed=st.integers(0, 2**31))
def test_any_text_can_be_read(name: str, title: str, body: str, seed: int) -> None:
    text = IssueText(title, body)
    augmentation(name, [text, *COLLECTION])(text, (seed,))


def test_inline_code_is_one_word_that_nobody_changes() -> None:
    for name in ("eda", "aeda", "tfidf"):
        read = augmentation(name, COLLECTION)
        assert all("`git  push`" in read(ISSUE, (seed,)).body for seed in range(30))


def test_synonyms_are_mutual() -> None:
    assert all(word in SYNONYMS[other] for word, others in SYNONYMS.items() for other in others)
    words = [word for group in GROUPS for word in group.split()]
    assert len(words) == len(set(words))


def test_blocks_go_back_together() -> None:
    found = blocks(BODY)
    assert blocks(rejoin(found)) == found
    assert [block.lines[0] for block in found if block.code] == ["```python", "~~~"]
    assert any(block.lines[:2] == ("## Steps", "1. open the old file") for block in found)
    assert not any(FENCE.match(line) for b in found if not b.code for line in b.lines)


def test_a_crop_is_a_run_of_blocks_and_a_mask_keeps_one() -> None:
    whole = blocks(BODY)
    for seed in range(40):
        kept = blocks(Crop()(ISSUE, (seed,)).body)
        start = whole.index(kept[0])
        assert whole[start : start + len(kept)] == kept
        assert len(kept) >= len(whole) // 2
        assert blocks(Mask(share=1.0)(ISSUE, (seed,)).body) in [[block] for block in whole]


def test_words_that_say_much_stay() -> None:
    collection = [IssueText("x", f"the page and the file {i} kafka") for i in range(30)]
    collection += [IssueText("x", "the page and the file zookeeper")]
    read = fit_replacement(collection)
    readings = [read(collection[-1], (seed,)).body.split() for seed in range(200)]
    kept = {word: sum(word in words for words in readings) for word in ("zookeeper", "and")}
    assert kept["zookeeper"] == 200
    assert kept["and"] < 200


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'edo'.* Did you mean 'eda'.*mixed"):
        augmentation("edo", [])

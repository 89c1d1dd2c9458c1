"""A label reads as words, whatever its punctuation."""

import pytest

from bot.core.label_text import label_text
from bot.core.types import LabelSpec


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("area/DevTools", "area dev tools"),
        ("module: linear_model", "module linear model"),
        ("c++", "c++"),
        ("🐛", "🐛"),
        ("Type: Bug 🐛", "type bug"),
    ],
)
def test_names_become_words(name: str, expected: str) -> None:
    assert label_text(LabelSpec(name)) == expected


def test_the_description_is_kept_as_its_maintainers_wrote_it() -> None:
    assert label_text(LabelSpec("bug", "Something is broken")) == "bug: Something is broken"

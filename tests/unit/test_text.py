"""The issue text: what stays, what goes, and that a second reading changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.core.text import issue_text

PIECES = (
    "<!--", "-->", "<!", "```", "~~~", "````python", "\n", "\n\n", "# ", "### What", "**a**", "__", "_x_",
    "- [ ] todo", "- [x] Bug", "- [X] I have read all of the rules", "_No response_", "> quoted", ">",
    "[text](http://example.org/a/b.py)", "![shot](https://example.org/assets/1)", "https://www.example.org/a?b#c",
    "<img src='x'>", "<details>", "<b", ">", "0x7fff12", "deadbeef1234", "123456789", "1, 2, 3, 4, 5, 6, 7",
    "Traceback (most recent call last):", '  File "/a/b/c/d.py", line 3, in f', "ValueError: no", "numpy==1.2.3",
    "python: 3.11.2", "2024-01-02 10:11:12", "INFO start", "| a | b |", "---", "...", "\x00", "\u200b", "\r", "é",
    "/kind bug", "/usr/lib/python/site/x.py", "A" * 70 + "b1", "word", " ", "    ", "`", "*", "***", "[", "](", "(",
)  # fmt: skip

markdown = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join)


@given(title=markdown, body=markdown | st.none())
def test_a_second_reading_changes_nothing(title: str, body: str | None) -> None:
    once = issue_text(title, body)
    assert issue_text(once.title, once.body) == once

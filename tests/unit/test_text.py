"""The issue text: what stays, what goes, and that a second reading changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.machine_text import CODE
from bot.core.text import MAX_BODY, MAX_TITLE, TEXT_VERSION, issue_text
from bot.core.types import IssueText

GOLDEN = Path(__file__).with_name("golden_text.json")
REPOSITORY = Path(__file__).parents[2]

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


def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(GOLDEN.read_text())
    return loaded


@given(title=markdown, body=markdown | st.none())
def test_a_second_reading_changes_nothing(title: str, body: str | None) -> None:
    once = issue_text(title, body)
    assert issue_text(once.title, once.body) == once


@given(title=markdown, body=markdown)
def test_the_text_is_bounded_and_can_be_stored(title: str, body: str) -> None:
    text = issue_text(title * 40, body * 40)
    assert len(text.title) <= MAX_TITLE
    assert len(text.body) <= MAX_BODY
    assert "\n" not in text.title
    assert "\x00" not in text.joined
    text.joined.encode()


@pytest.mark.parametrize("case", golden()["cases"], ids=lambda case: case["name"])
def test_golden(case: dict[str, Any]) -> None:
    """A change here changes every vector: raise TEXT_VERSION, then `python -m tests.unit.test_text`."""
    text = issue_text(case["title"], case["body"])
    assert {"title": text.title, "body": text.body} == case["text"]


def test_the_golden_file_is_of_this_version() -> None:
    assert golden()["text_version"] == TEXT_VERSION
    assert len(golden()["cases"]) >= 25


def test_what_a_person_typed_stays_and_what_the_form_put_there_goes() -> None:
    body = (
        "### Issue Kind\n\nBug\n\n### Logs\n\n_No response_\n\n- [ ] I will fix it\n<!-- hint -->"
    )
    assert issue_text("t", body).body == "# Issue Kind\nBug"


def test_a_heading_stays_for_the_sake_of_those_below_it_and_code_has_none() -> None:
    body = "## Bug report\n### Steps\nrun\n### Logs\n```sh\n# one\n# two\n```\n## End"
    expected = "# Bug report\n## Steps\nrun\n## Logs\n```sh\n# one\n# two\n```"
    assert issue_text("t", body).body == expected


def test_a_long_trace_keeps_its_start_and_its_exception() -> None:
    frames = "".join(
        f'  File "/x/y/z/{n}.py", line {n}, in f{n}\n    g{n}()\n' for n in "abcdefghij"
    )
    body = f"```\nTraceback (most recent call last):\n{frames}KeyError: 'leek'\n```"
    lines = issue_text("t", body).body.split("\n")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-2] == "KeyError: 'leek'"
    assert len(lines) <= 10


def test_long_code_keeps_its_language_its_head_and_its_tail() -> None:
    code = "\n".join(f"call_{word}()" for word in "abcdefghijklmnopqrstuvwxyz")
    lines = issue_text("t", f"```Python\n{code}\n```").body.split("\n")
    assert lines[0] == "```python"
    assert lines[1] == "call_a()"
    assert lines[-2] == "call_z()"
    assert len(lines) == CODE.head + CODE.tail + 3


def test_an_error_in_the_middle_of_a_long_log_stays() -> None:
    log = [f"{word} step {word * 3}" for word in "abcdefghijklmnopqrstuvwxyz"]
    log[13] = "FATAL: disk is full"
    assert "FATAL: disk is full" in issue_text("t", "```\n" + "\n".join(log) + "\n```").body


def test_text_of_a_million_characters_takes_no_longer_than_its_length_asks_for() -> None:
    """Every repeated piece that a careless pattern could choke on; quadratic code takes hours."""
    program = (
        "from tests.unit.test_text import PIECES, issue_text\n"
        "odd = ['<', '[a](', 'a/', '\\\\a', '#', '_', '0', '1,', 'aB1/', 'http://a', '&', 'a=', 'a: ', '::']\n"
        "for piece in (*PIECES, *odd):\n"
        "    long = piece * (1_000_000 // len(piece))\n"
        "    text = issue_text(long, long)\n"
        "    assert issue_text(text.title, text.body) == text, piece\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, timeout=300)


def test_text_that_never_settles_loses_its_markup() -> None:
    nested = "[" * 30 + "word" + "](x)" * 30
    plain = "word" + " x" * 24
    assert issue_text(nested, nested) == IssueText(plain, plain)


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    body = "\n".join(f"{chr(97 + n % 26) * (n // 26 + 1)} came by" for n in range(26 * 30))
    text = issue_text("t", f"First words.\n{body}\nLast words.").body
    assert text.startswith("First words.")
    assert text.endswith("Last words.")
    assert "\n...\n" in text
    assert MAX_BODY * 0.9 < len(text) <= MAX_BODY


def write_golden() -> None:
    cases = golden()["cases"]
    for case in cases:
        text = issue_text(case["title"], case["body"])
        case["text"] = {"title": text.title, "body": text.body}
    stored = {"text_version": TEXT_VERSION, "cases": cases}
    GOLDEN.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    write_golden()

"""What a comment asks of us: read at line starts, never in quotes or code, and never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.commands import (
    MOST_COMMANDS,
    MOST_LABELS,
    Command,
    nearest,
    parse_commands,
    resolve,
)


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("/label bug", ("bug",)),
        ("/label bug, docs", ("bug", "docs")),
        ("/label good first issue , kind/bug", ("good first issue", "kind/bug")),
        ('/label "needs, review", bug', ("needs, review", "bug")),
        ("/label 'a, b', `c, d`", ("a, b", "c, d")),
        ("/label \u201chelp wanted\u201d", ("help wanted",)),
        ("/label won't fix, bug", ("won't fix", "bug")),
        ("/label 'tis broken, bug", ("'tis broken", "bug")),
        ('/label size 5" screen', ('size 5" screen',)),
        ('/label "quoted" word', ('"quoted" word',)),
        ("/label bug, BUG, , bug,", ("bug",)),
        ("/LABEL Bug  ", ("Bug",)),
        ("/label\tbug", ("bug",)),
        ("/label \U0001f41b bug", ("\U0001f41b bug",)),
    ],
)
def test_names_of_labels(line: str, labels: tuple[str, ...]) -> None:
    assert parse_commands(line) == (Command("label", labels),)
    assert parse_commands(line.replace("/", "/un", 1)) == (Command("unlabel", labels),)


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("/why", "why"),
        ("/Why  ", "why"),
        ("/relabel", "relabel"),
        ("/labelwright pause", "pause"),
        ("/labelwright RESUME", "resume"),
        ("/labelwright   status ", "status"),
        ("/labelwright", "help"),
        ("/labelwright dance", "help"),
        ("/labelwright pause now", "help"),
        ("/label", "help"),
        ("/unlabel  , ", "help"),
    ],
)
def test_verbs(line: str, verb: str) -> None:
    assert [(found.verb, found.labels) for found in parse_commands(line)] == [(verb, ())]


@pytest.mark.parametrize(
    "body",
    [
        "please /label bug",
        " /label bug",
        "    /label bug",
        "/labels bug",
        "/label/bug",
        "/why not just fix it?",
        "/relabel everything",
        "/whyever",
        "> /label bug",
        ">/label bug",
        "> somebody said\n/label bug",
        "> somebody said\nat length\n/label bug",
        "```\n/label bug\n```",
        "```sh\n/label bug",
        "````\n```\n/label bug\n````",
        "~~~\n```\n/label bug\n~~~",
        "```\n``` not closed\n/label bug",
        "<!-- help:\n/label bug\n-->",
        "<!-- never closed\n/label bug",
        "<!-- a\n-->/label bug",
        "<pre>\n/label bug\n</pre>",
        "`/label bug`",
        "",
    ],
)
def test_what_is_not_said_is_no_command(body: str) -> None:
    assert parse_commands(body) == ()


@pytest.mark.parametrize(
    "body",
    [
        "Thanks!\r\n/label bug\r\nSee above.",
        "> quoted\n\n/label bug",
        "```\ncode\n```\n/label bug",
        "```\ncode\n````\n/label bug",
        "~~~ sh\ncode\n~~~\n/label bug",
        "<!-- hidden -->\n/label bug",
        "> quoted\n```\ncode\n```\n/label bug",
    ],
)
def test_what_is_said_around_it_does_not_hide_a_command(body: str) -> None:
    assert parse_commands(body) == (Command("label", ("bug",)),)


def test_several_commands_keep_their_order() -> None:
    body = "/label bug\nand\n/unlabel docs\n/why\n/label bug"
    assert parse_commands(body) == (
        Command("label", ("bug",)),
        Command("unlabel", ("docs",)),
        Command("why"),
        Command("label", ("bug",)),
    )


def test_a_comment_cannot_ask_for_the_world() -> None:
    many = "/label " + ", ".join(f"label {n}" for n in range(100))
    found = parse_commands("\n".join([many] * 100))
    assert len(found) == MOST_COMMANDS
    assert {len(command.labels) for command in found} == {MOST_LABELS}
    (long,) = parse_commands("/label " + "x" * 5000)
    assert len(long.labels[0]) == 100


@given(st.text(alphabet="/label why>`~\n\t \"',<!->pre\u201c", max_size=200))
def test_no_comment_breaks_the_parser(body: str) -> None:
    for command in parse_commands(body):
        assert command.verb in ("label", "unlabel", "why", "relabel", "help")
        assert all(name == name.strip() and name for name in command.labels)


def test_names_are_found_in_any_case() -> None:
    found, unknown = resolve(["BUG", "docs ", "Kind/Bug"], ["bug", "kind/bug"])
    assert found == {"BUG": "bug", "Kind/Bug": "kind/bug"}
    assert unknown == ["docs "]


@pytest.mark.parametrize(
    ("name", "best"),
    [("bgu", "bug"), ("documentation", "docs/documentation"), ("Help Wanted!", "help-wanted")],
)
def test_the_nearest_name_comes_first(name: str, best: str) -> None:
    known = ["bug", "docs/documentation", "help-wanted", "question"]
    assert nearest(name, known)[0] == best


def test_nothing_is_near_what_is_like_nothing() -> None:
    assert nearest("zzzz", ["bug", "docs", "question"]) == ()
    assert len(nearest("kind/bug", [f"kind/bug{n}" for n in range(9)])) == 3

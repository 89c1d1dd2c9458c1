"""Commands in comments: what a comment asks of us, as values. Pure.

A command is a whole line that starts with its slash. Refuses to find one in quotes, in code, in HTML
comments (issue templates explain commands there), and to guess: a line that only begins like one is prose.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from bot.core.patterns import plain_name

Verb = Literal["label", "unlabel", "why", "relabel", "pause", "resume", "status", "help"]
"""`help` is what a `/labelwright` that we do not understand comes to, and a `/label` without a name."""

MOST_COMMANDS = 10
MOST_LABELS = 20
"""Read of one comment, of one command; the rest is not looked at."""
MOST_CHARACTERS = 100
"""Of a label's name; GitHub allows 50."""

_LINE = re.compile(r"/(label|unlabel|why|relabel|labelwright)(?:[ \t]+(.*))?", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_QUOTE = re.compile(r" {0,3}>")
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(pre|code)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_ALONE = ("why", "relabel")
_OF_THE_APP: tuple[Verb, ...] = ("pause", "resume", "status")


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `labels` as they were written, each once, for `label` and `unlabel` only."""

    verb: Verb
    labels: tuple[str, ...] = ()


def parse_commands(body: str) -> tuple[Command, ...]:
    """The commands of a comment, in their order."""
    found = (_command(line) for line in _spoken_lines(body))
    return tuple(command for command in found if command is not None)[:MOST_COMMANDS]


def nearest(name: str, known: Collection[str]) -> tuple[str, ...]:
    """The three names most like one that does not exist, best first; () where none is like it."""
    scored = sorted(
        ((_likeness(name, other), other) for other in known), key=lambda p: (-p[0], p[1])
    )
    return tuple(other for likeness, other in scored if likeness >= 0.5)[:3]


def _likeness(name: str, other: str) -> float:
    """Part of 1; a label that holds the word asked for, or lies in it, is likely meant."""
    mine, theirs = plain_name(name), plain_name(other)
    ratio = SequenceMatcher(None, mine, theirs).ratio()
    words = set(re.split(r"[-:/ ]", theirs)) & set(re.split(r"[-:/ ]", mine))
    return max(ratio, 0.75) if words - {""} else ratio


def _spoken_lines(body: str) -> Iterator[str]:
    """The lines that somebody says, without what is quoted, code or hidden."""
    fence, quoted = "", False
    for line in _HIDDEN.sub(_blank, body).splitlines():
        if fence:
            fence = "" if _closes(line, fence) else fence
        elif opening := _FENCE.match(line):
            fence, quoted = opening[1], False
        elif _QUOTE.match(line):
            quoted = True
        elif not line.strip():
            quoted = False
        elif not quoted:  # Markdown reads a line right below a quote as part of it
            yield line


def _blank(hidden: re.Match[str]) -> str:
    """Something stands there, so that what follows on its last line starts no line."""
    return "\n" * hidden[0].count("\n") + "\u200b"


def _closes(line: str, fence: str) -> bool:
    found = _FENCE.match(line)
    rest = line.strip().strip(fence[0])
    return found is not None and found[1].startswith(fence) and not rest


def _command(line: str) -> Command | None:
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        return None
    word, rest = found[1].lower(), (found[2] or "").strip()
    if word in _ALONE:
        return Command(word) if not rest else None  # type: ignore[arg-type] # both are verbs
    if word == "labelwright":
        return Command(next((verb for verb in _OF_THE_APP if rest.lower() == verb), "help"))
    names = tuple(_names(rest))[:MOST_LABELS]
    verb: Verb = "label" if word == "label" else "unlabel"
    return Command(verb, names) if names else Command("help")


def _names(text: str) -> Iterator[str]:
    """Names between commas, which quotes of any kind protect; each once, whatever its case."""
    seen: set[str] = set()
    for name in _items(text):
        if name and name.casefold() not in seen:
            seen.add(name.casefold())
            yield name[:MOST_CHARACTERS]


def _items(text: str) -> Iterator[str]:
    while text:
        text = text.lstrip()
        closing = _QUOTES.get(text[:1])
        end = _quoted_end(text, closing) if closing else -1
        if end > 0:
            yield text[1:end].strip()
            text = text[end + 1 :].lstrip().removeprefix(",")
        else:
            item, _, text = text.partition(",")
            yield item.strip()


def _quoted_end(text: str, closing: str) -> int:
    """Where the quoted name ends: at a closing quote that a comma or the end follows. -1: nowhere."""
    for found in re.finditer(re.escape(closing) + r"[ \t]*(?=,|$)", text[1:]):
        return found.start() + 1
    return -1


def resolve(names: Sequence[str], known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """(name as written -> the label's own spelling, names that no label bears), in any case."""
    spelled = {label.casefold(): label for label in known}
    found = {name: spelled[name.casefold()] for name in names if name.casefold() in spelled}
    return found, [name for name in names if name not in found]

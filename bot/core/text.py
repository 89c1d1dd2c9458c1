"""The issue text: what the model reads, made from title and body as filed.

Keeps what a person typed, form fields and headings included; drops what the form put there and
collapses what a machine wrote. Pure, bounded, linear in its input and idempotent. Refuses to look
at anything but the two strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.core.machine_text import CODE, GAP, Keep, collapse, crop
from bot.core.markup import (
    MAX_LINE,
    clean_characters,
    drop_comments,
    drop_tags,
    read_links,
    shorten_values,
)
from bot.core.types import IssueText

TEXT_VERSION = 1
"""Goes up when the same issue would give another text: vectors and heads are keyed by it."""

MAX_RAW = 100_000
MAX_TITLE = 300
MAX_BODY = 6_000
MAX_CODE_LINE = 200
_MAX_PASSES = 6
_QUOTE = Keep(head=3, tail=0)

_FENCE = re.compile(r"[\s>]{0,20}(`{3,}|~{3,})\s*([\w+#.-]{0,20})[^`]*$")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s*+([^#\s].*)")
_BOLD_LINE = re.compile(r"\s*(\*\*|__)([^*_]{2,80})\1\s*:?\s*$")
_TICKED = re.compile(r"\s*[-*+] \[[xX]\]\s*(.*)$")
_UNTICKED = re.compile(r"\s*[-*+] \[ ?\]")
_RULE = re.compile(r"(?!\.\.\.$)[\s\W_]*$")
_QUOTED = re.compile(r"\s{0,8}>")
_EMPHASIS = re.compile(r"\*{2,}+|`+|(?<!\w)_{1,2}(?=\S)|(?<=[^\s_])_{1,2}(?!\w)")
_NOT_A_WORD = re.compile(r"[^a-z]+")
_PLACEHOLDERS = frozenset({"_no response_", "no response", "n/a", "na", "none", "none.", "nothing"})
_SHORT_CHOICE = 5


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines of prose (`language` is None), or the inside of a code fence."""

    language: str | None
    lines: list[str]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the text to be; `level` is that of a heading in the issue, 0 for any other line."""

    text: str
    level: int = 0


def issue_text(title: str, body: str | None) -> IssueText:
    """The text of an issue; `issue_text(t.title, t.body) == t` for every `t` it returns."""
    return IssueText(
        title=_settle(title[:MAX_RAW], _title_once),
        body=_settle(_crop_raw(body or ""), _body_once),
    )


def _settle(text: str, once: Callable[[str], str]) -> str:
    """Applies `once` until nothing changes: one removal can uncover another (`<!<!-- -->-- -->`).

    Two passes nearly always do. Text built to go on for longer loses its markup altogether, after
    which no step finds anything to change.
    """
    for _ in range(_MAX_PASSES):
        following = once(text)
        if following == text:
            return text
        text = following
    return _plain(text, once)


def _plain(text: str, once: Callable[[str], str]) -> str:
    """The bare ASCII words of a text; nothing where even they would not stay as they are."""
    words = _NOT_A_WORD.sub(" ", text.lower()).split()
    plain = " ".join(words)[:MAX_TITLE].strip()
    return plain if once(plain) == plain else ""


def _crop_raw(body: str) -> str:
    if len(body) <= MAX_RAW:
        return body
    half = MAX_RAW // 2
    return f"{body[:half]}\n{body[-half:]}"


def _title_once(title: str) -> str:
    line = " ".join(drop_comments(clean_characters(title)).split())
    line = shorten_values(read_links(drop_tags(line[:MAX_LINE])))
    return " ".join(_EMPHASIS.sub("", line).split())[:MAX_TITLE].strip()


def _body_once(body: str) -> str:
    text = drop_comments(clean_characters(body))
    lines: list[_Line] = []
    for block in _blocks(text.split("\n")):
        lines += _prose(block.lines) if block.language is None else _code(block)
    return _crop_body("\n".join(_as_text(_tidy(lines))))


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    """Splits at fences; one that is never closed ends with the text, as on GitHub."""
    block = _Block(None, [])
    fence = ""
    for line in lines:
        match = _FENCE.match(line)
        closes = match and fence and match[1].startswith(fence) and not match[2]
        if match and (closes or not fence):
            yield block
            fence = "" if closes else match[1]
            block = _Block(None if closes else match[2].lower(), [])
        else:
            block.lines.append(line)
    yield block


def _code(block: _Block) -> list[_Line]:
    cut = [line[:MAX_LINE].rstrip() for line in block.lines if not _RULE.match(line)]
    short = [_code_line(line) for line in collapse(cut)]
    lines = [line.rstrip() for line in crop(short, CODE) if line.strip()]
    fenced = ["```" + (block.language or ""), *lines, "```"] if lines else []
    return [_Line(line) for line in fenced]


def _code_line(line: str) -> str:
    return shorten_values(read_links(line)).replace("```", "")[:MAX_CODE_LINE]


def _prose(lines: list[str]) -> list[_Line]:
    typed = [line for line in map(_typed, _unquote(lines)) if line is not None]
    return [_line(line) for line in collapse(typed)]


def _line(line: str) -> _Line:
    heading = _HEADING.match(line)
    if heading is None:
        return _Line(_reduce(line))
    return _Line(_reduce(heading[2].rstrip(" #")), level=len(heading[1]))


def _unquote(lines: Iterable[str]) -> list[str]:
    """Quoted replies lose their marks, and all but their first lines."""
    kept: list[str] = []
    quote: list[str] = []
    for line in lines:
        if _QUOTED.match(line):
            quote.append(line.lstrip("> "))
            continue
        kept += crop(quote, _QUOTE)
        quote = []
        kept.append(line)
    return kept + crop(quote, _QUOTE)


def _typed(line: str) -> str | None:
    """The line as its author meant it; None where the form wrote it or the author left it empty."""
    line = line[:MAX_LINE].rstrip()
    if not line:
        return ""
    if _UNTICKED.match(line) or line.strip().lower() in _PLACEHOLDERS:
        return None
    if ticked := _TICKED.match(line):
        # "- [x] Bug report" is a choice; "- [x] I have searched the issues" is the form talking.
        return f"- {ticked[1]}" if len(ticked[1].split()) <= _SHORT_CHOICE else None
    if bold := _BOLD_LINE.match(line):
        return f"### {bold[2].strip(' :')}"
    return None if _RULE.match(line) else line


def _reduce(line: str) -> str:
    line = shorten_values(read_links(drop_tags(line)))
    if line.lstrip().startswith("|"):
        line = line.replace("|", " ")
    line = _EMPHASIS.sub("", line)
    return " ".join(line.split())


def _tidy(lines: list[_Line]) -> list[_Line]:
    """Drops blank lines, and headings with nothing under them: those that stand directly before the
    end, or before a heading of their own or a higher level."""
    kept: list[_Line] = []
    level_below = 1
    for line in reversed(lines):
        if not line.text or (line.level and 0 < level_below <= line.level):
            continue
        kept.append(line)
        level_below = line.level
    return kept[::-1]


def _as_text(lines: Sequence[_Line]) -> Iterator[str]:
    """Headings get one sign at the highest level and two below: each sign costs a token."""
    top = min((line.level for line in lines if line.level), default=0)
    for line in lines:
        sign = ("# " if line.level == top else "## ") if line.level else ""
        yield sign + line.text


def _crop_body(body: str) -> str:
    if len(body) <= MAX_BODY:
        return body
    tail = MAX_BODY // 4
    head = MAX_BODY - tail - len(GAP) - 2
    return f"{body[:head].rstrip()}\n{GAP}\n{body[-tail:].lstrip()}"

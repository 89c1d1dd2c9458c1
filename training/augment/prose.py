"""What may be rewritten in an issue: words of prose. Fences, headings and `inline code` stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.core.types import IssueText

FENCE = re.compile(r"\s*(`{3,}|~{3,})")
HEADING = re.compile(r"\s*#{1,6}\s")
WORD = re.compile(r"`[^`]*`|\S+")

Rewrite: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""Words of a line -> other words."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: a fence with its code, or a paragraph with its heading."""

    lines: tuple[str, ...]
    code: bool


def blocks(body: str) -> list[Block]:
    """The body cut at blank lines, never inside a fence; a heading goes with what follows it."""
    found: list[Block] = []
    lines: list[str] = []
    fence = ""

    def close(*, code: bool) -> None:
        if lines:
            found.append(Block(tuple(lines), code))
            lines.clear()

    for line in body.splitlines():
        mark = FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1].startswith(fence):
                fence = ""
                close(code=True)
        elif mark:
            close(code=False)
            fence = mark[1]
            lines.append(line)
        elif line.strip():
            if HEADING.match(line):
                close(code=False)
            lines.append(line)
        elif not (lines and HEADING.match(lines[-1])):
            close(code=False)
    close(code=bool(fence))
    return found


def rejoin(kept: Sequence[Block]) -> str:
    return "\n\n".join("\n".join(block.lines) for block in kept)


def rewrite_prose(text: IssueText, rewrite: Rewrite) -> IssueText:
    """The title and every line of prose with other words; whatever is code stays as it is."""

    def line(old: str) -> str:
        if HEADING.match(old):
            return old
        words = WORD.findall(old)
        return " ".join(rewrite(words)) if words else old

    body = [
        block if block.code else Block(tuple(line(x) for x in block.lines), code=False)
        for block in blocks(text.body)
    ]
    return IssueText(line(text.title), rejoin(body))


def is_code(word: str) -> bool:
    """`inline code` is one word, and nobody's to change."""
    return word.startswith("`")

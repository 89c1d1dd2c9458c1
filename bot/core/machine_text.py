"""Lines that a machine wrote (traces, logs, version lists, long code), collapsed to their telling ends.

Works on lists of lines. What a person typed passes through untouched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal["", "frame", "log", "pin"]
GAP = "..."
VERSIONS = "[versions]"


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a run of lines stays: its first and last lines, and errors between them."""

    head: int
    tail: int
    errors: int = 0
    gap: str = GAP

    @property
    def limit(self) -> int:
        return self.head + self.tail + self.errors + (2 if self.errors else 1)


CODE = Keep(head=8, tail=2, errors=2)
_RUNS: dict[Kind, Keep] = {
    "frame": Keep(head=2, tail=3),
    "log": Keep(head=3, tail=3, errors=2),
    "pin": Keep(head=3, tail=0, gap=VERSIONS),
}

_FRAME = re.compile(
    r"\s*(?:at [\w$.<(]|File \"|\.{3} \d|Caused by:|#\d{1,3}[ :]|goroutine \d|-{2,}> ?\d"
    r"|\d{1,5} {1,4}\S|created by |\^[~^]*$|[\w./~-]{3,200}\.\w{1,4}:\d+(?:[ :)]|$))"
    r"|\s+\S.{0,200}\.\w{1,4}:\d+"
)
_LOG = re.compile(
    r"\W{0,3}(?:\d{4}[-/]\d\d[-/]\d\d[T ]?\d?\d?|\d\d:\d\d:\d\d|[IWEF]\d{4} |"
    r"(?:INFO|WARN|WARNING|ERROR|DEBUG|FATAL|TRACE|NOTICE)\b|"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:)"
)
_PIN = re.compile(
    r"\W{0,6}[\w.\-]{1,60}(?:\[[\w,]{1,40}\])?(?:==|>=|~=|@| {1,4}v?|: {0,4}v?|=)\d[\w.+\-]*(?: .{0,120})?$"
    r"|[A-Z][A-Z0-9_]{2,40}=.{0,300}$"
    r"|\W{0,6}\w[\w ()/.\-]{0,40}:(?: .{0,120})?$"
    r"|\w[\w.\-]{0,60} = \S.{0,120}$"
)
_HAS_VERSION = re.compile(r"\d\.\d|==|^[A-Z][A-Z0-9_]{2,40}=|^\w{1,40}:\d+$")
_ERROR = re.compile(r"(?:\b|(?<=[a-z]))(?:Error|Exception|panic|ERROR|FATAL|FAILED|fatal|error)\b")
_DIGITS = re.compile(r"\d+")


def collapse(lines: Iterable[str]) -> list[str]:
    """Squeezes repeats, then shortens every long run of frames, log lines or pinned versions."""
    kept: list[str] = []
    for kind, run in _runs(squeeze(lines)):
        keep = _RUNS.get(kind)
        if keep is None or (kind == "pin" and not _is_version_list(run)):
            kept.extend(run)
        else:
            kept.extend(crop(run, keep))
    return kept


def squeeze(lines: Iterable[str]) -> list[str]:
    """One line of each run of lines that differ in digits only."""
    kept: list[str] = []
    previous = None
    for line in lines:
        masked = _DIGITS.sub("0", line.strip())
        if masked and masked == previous:
            continue
        kept.append(line)
        previous = masked
    return kept


def crop(lines: list[str], keep: Keep) -> list[str]:
    """The head and tail of `lines`, and the first errors between them, where they are too many."""
    if len(lines) <= keep.limit:
        return lines
    end = len(lines) - keep.tail
    errors = [line for line in lines[keep.head : end] if _ERROR.search(line)][: keep.errors]
    middle = [keep.gap, *errors, keep.gap] if errors else [keep.gap]
    return [*lines[: keep.head], *middle, *lines[end:]]


def _runs(lines: list[str]) -> Iterator[tuple[Kind, list[str]]]:
    kinds = _kinds(lines)
    for kind, run in groupby(zip(kinds, lines, strict=True), key=lambda pair: pair[0]):
        yield kind, [line for _, line in run]


def _kinds(lines: list[str]) -> list[Kind]:
    """The kind of each line; a blank line, and code under a frame, go with what stands above."""
    kinds: list[Kind] = []
    above: Kind = ""
    for line in lines:
        blank = not line.strip()
        follows = above == "frame" and line.startswith("    ")
        above = above if (blank and above == "pin") or follows else _kind(line)
        kinds.append(above)
    return kinds


def _kind(line: str) -> Kind:
    if _LOG.match(line):
        return "log"
    if _PIN.match(line):
        return "pin"
    return "frame" if _FRAME.match(line) else ""


def _is_version_list(run: list[str]) -> bool:
    full = [line for line in run if line.strip()]
    return len(full) >= 5 and 2 * sum(bool(_HAS_VERSION.search(line)) for line in full) >= len(full)

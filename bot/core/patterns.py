"""Patterns over label and user names: `*`, `?` and `[0-9]`, in any case; every other character,
brackets included, stands for itself, since labels such as `[Status] Stale` are common."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"\?|\[0-9\]|[^?\[]+|\[")
_MEANING = {"?": ".", "[0-9]": "[0-9]"}
_SHORTCODE = re.compile(r":[a-z_]+:")
_LEADING = re.compile(r"^[^\w\[]+")
_SEPARATORS = re.compile(r"[\s_\-]+")
_AROUND = re.compile(r"-*([:/])-*")


@lru_cache(maxsize=16_384)
def matches_any(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name fits one of the patterns, as it is spelled or in its plain spelling."""
    regex = _compiled(patterns)
    return bool(regex.fullmatch(name.casefold()) or regex.fullmatch(plain_name(name)))


def has_wildcard(pattern: str) -> bool:
    return any(sign in pattern for sign in ("*", "?", "[0-9]"))


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """One spelling for `Needs Triage`, `needs_triage`, `:mag: needs-triage`: here `needs-triage`."""
    text = _SHORTCODE.sub("", name.casefold().replace("\u2019", "'"))
    text = _SEPARATORS.sub("-", _LEADING.sub("", text).strip())
    return _AROUND.sub(r"\1", text).strip("-")


@lru_cache(maxsize=1024)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """All of `patterns` as one expression: there are some two hundred for process labels alone."""
    if not patterns:
        return re.compile(r"(?!)")
    return re.compile("|".join(map(_expression, patterns)), re.DOTALL)


def _expression(pattern: str) -> str:
    """Each fixed part is taken where it first fits, for good: no pattern can make it slow."""
    first, *rest = (_fixed(part) for part in re.split(r"\*+", pattern.casefold()))
    if not rest:
        return first
    return first + "".join(f"(?>.*?{part})" for part in rest[:-1]) + ".*" + rest[-1]


def _fixed(part: str) -> str:
    return "".join(_MEANING.get(token, re.escape(token)) for token in _TOKEN.findall(part))

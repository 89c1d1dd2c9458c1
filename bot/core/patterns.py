"""Patterns over label and user names: `*`, `?` and `[0-9]`, in any case; every other character,
brackets included, stands for itself, since labels such as `[Status] Stale` are common."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(r"\*|\?|\[0-9\]|[^*?\[]+|\[")
_MEANING = {"*": ".*", "?": ".", "[0-9]": "[0-9]"}
_SHORTCODE = re.compile(r":[a-z_]+:")
_LEADING = re.compile(r"^[^\w\[]+")
_SEPARATORS = re.compile(r"[\s_\-]+")
_AROUND = re.compile(r"-*([:/])-*")


def matches(name: str, pattern: str) -> bool:
    """Whether a label fits a pattern, as it is spelled or in its plain spelling."""
    regex = _compiled(pattern.casefold())
    return bool(regex.fullmatch(name.casefold()) or regex.fullmatch(plain_name(name)))


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    return any(matches(name, pattern) for pattern in patterns)


def has_wildcard(pattern: str) -> bool:
    return any(sign in pattern for sign in ("*", "?", "[0-9]"))


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """One spelling for `Needs Triage`, `needs_triage`, `:mag: needs-triage`: here `needs-triage`."""
    text = _SHORTCODE.sub("", name.casefold().replace("\u2019", "'"))
    text = _SEPARATORS.sub("-", _LEADING.sub("", text).strip())
    return _AROUND.sub(r"\1", text).strip("-")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Runs of "*" mean the same as one, and cost exponentially more.
    tokens = _TOKEN.findall(re.sub(r"\*+", "*", pattern))
    return re.compile("".join(_MEANING.get(t, re.escape(t)) for t in tokens), re.DOTALL)

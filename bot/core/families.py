"""Which labels answer the same question: families by prefix, exclusive groups by what history shows.

Refuses to guess: labels become exclusive only on enough evidence, or because the rules say so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations
from math import exp
from typing import Protocol

from bot.core.patterns import matches_any

Group = tuple[str, ...]

_DECORATION = re.compile(r"^(?::\w+:|[^\w*])+\s*")
_SEPARATED = re.compile(r"^(\w[^/:]*(?<! )(?:/|::?))(?!/)\s*\S")
_LETTER = re.compile(r"^([A-Za-z]-)\S")
_DASHED = re.compile(
    r"^((?:area|arch|comp|component|lang|module|os|pkg|platform|topic)-)\S", re.IGNORECASE
)

FEW_TOGETHER = 0.25
"""A pair is exclusive when it meets surely less than this share of what chance would bring."""
DOUBT = 0.05
"""Probability with which a pair that is not exclusive may look so."""
FAMILY_SHARE = 0.02
"""A prefixed family is exclusive as a whole when fewer of its issues than this carry two of it."""
FAMILY_SUPPORT = 50
"""Issues of a family to be seen before it is judged as a whole."""


class ExclusiveRules(Protocol):
    """The part of a repository's rules that speaks of exclusive groups: tuples of patterns."""

    @property
    def exclusive(self) -> tuple[tuple[str, ...], ...]: ...


def family_of(label: str) -> str:
    """The prefix that a label shares with its siblings, in lower case; "" for a plain label.

    `kind/bug` -> `kind/`, `module: nn` -> `module:`, `A-sql` -> `a-`, `area-mvc` -> `area-`.
    """
    bare = _DECORATION.sub("", label)
    for pattern in (_SEPARATED, _LETTER, _DASHED):
        if found := pattern.match(bare):
            return found.group(1).replace(" ", "").lower()
    return ""


def families_of(labels: Sequence[str]) -> dict[str, str]:
    """The family of each of `labels`. A prefix that one label alone bears makes no family: as no
    sibling could ever speak against that label, it joins the plain ones."""
    found = {label: family_of(label) for label in labels}
    sizes = Counter(found.values())
    return {label: family if sizes[family] > 1 else "" for label, family in found.items()}


def infer_exclusive(
    label_sets: Sequence[Collection[str]],
    labels: Sequence[str],
    rules: ExclusiveRules | None = None,
) -> tuple[Group, ...]:
    """Groups of `labels` of which an issue carries at most one.

    What the rules declare stands as declared. The rest is judged per family: a prefixed family as a
    whole if its labels hardly ever meet, else the largest sets of labels whose every pair meets
    surely less often than chance would have it (Poisson test).
    """
    declared = _declared(labels, rules.exclusive if rules else ())
    taken = {label for group in declared for label in group}
    groups = list(declared)
    for members in _by_family([label for label in labels if label not in taken]).values():
        groups += _family_groups(members, label_sets)
    return tuple(groups)


def _declared(labels: Sequence[str], patterns: Sequence[Sequence[str]]) -> tuple[Group, ...]:
    groups = (tuple(x for x in labels if matches_any(x, tuple(group))) for group in patterns)
    return tuple(group for group in groups if len(group) > 1)


def _by_family(labels: Sequence[str]) -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    for label, family in families_of(labels).items():
        families.setdefault(family, []).append(label)
    return {family: members for family, members in families.items() if len(members) > 1}


def _family_groups(members: Sequence[str], label_sets: Sequence[Collection[str]]) -> list[Group]:
    wanted = set(members)
    inside = [sorted(kept) for s in label_sets if (kept := wanted.intersection(s))]
    together = Counter(pair for kept in inside for pair in combinations(kept, 2))
    several = sum(len(kept) > 1 for kept in inside)
    if (
        family_of(members[0])
        and len(inside) >= FAMILY_SUPPORT
        and several < FAMILY_SHARE * len(inside)
    ):
        return [tuple(members)]
    counts = Counter(label for kept in inside for label in kept)
    return _cliques(counts, together, len(inside))


def _cliques(counts: Counter[str], together: Counter[tuple[str, str]], issues: int) -> list[Group]:
    """Greedy, most frequent first, so that the groups that matter form first."""
    groups: list[list[str]] = []
    for label, count in counts.most_common():
        for group in groups:
            if all(
                _apart(together[min(label, x), max(label, x)], count * counts[x] / issues)
                for x in group
            ):
                group.append(label)
                break
        else:
            groups.append([label])
    return [tuple(group) for group in groups if len(group) > 1]


def _apart(seen: int, by_chance: float) -> bool:
    """Whether `seen` meetings are surely below `FEW_TOGETHER` of `by_chance` (Poisson tail)."""
    mean = FEW_TOGETHER * by_chance
    term = total = exp(-mean)
    for k in range(1, seen + 1):
        term *= mean / k
        total += term
    return total <= DOUBT

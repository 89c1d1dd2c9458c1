"""Families by prefix, and exclusive groups only where history shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.families import families_of, family_of, infer_exclusive


@dataclass(frozen=True)
class Declared:
    exclusive: tuple[tuple[str, ...], ...]


@pytest.mark.parametrize(
    ("label", "family"),
    [
        ("kind/bug", "kind/"),
        ("module: nn", "module:"),
        ("module:tree", "module:"),
        ("comp:ops", "comp:"),
        ("C-bug", "c-"),
        ("area-mvc", "area-"),
        ("Type: Bug", "type:"),
        ("lang/C#", "lang/"),
        (":rocket: Topic: speed", "topic:"),
        ("bug", ""),
        ("Build / CI", ""),
        ("feature-request", ""),
        ("good first issue", ""),
        ("🐛 Bug", ""),
        ("https://example.org", ""),
        ("kind/", ""),
    ],
)
def test_family_is_the_prefix(label: str, family: str) -> None:
    assert family_of(label) == family


@given(st.text(max_size=40))
def test_any_name_has_a_family(label: str) -> None:
    assert family_of(label) == family_of(label).lower()


def test_prefix_of_one_label_makes_no_family() -> None:
    found = families_of(["bug", "compiler/runtime", "os/linux", "os/mac"])
    assert found == {"bug": "", "compiler/runtime": "", "os/linux": "os/", "os/mac": "os/"}


def test_labels_that_never_meet_are_exclusive() -> None:
    sets = [{"bug"}] * 60 + [{"feature"}] * 60 + [{"bug", "crash"}] * 20
    assert infer_exclusive(sets, ["bug", "crash", "feature"]) == (("bug", "feature"),)


def test_little_evidence_makes_no_group() -> None:
    sets = [{"bug"}] * 4 + [{"feature"}] * 4
    assert infer_exclusive(sets, ["bug", "feature"]) == ()


def test_labels_that_meet_by_chance_are_not_exclusive() -> None:
    rng = np.random.default_rng(0)
    sets = [{name for name in ("a", "b", "c") if rng.random() < 0.3} for _ in range(400)]
    assert infer_exclusive(sets, ["a", "b", "c"]) == ()


def test_a_prefixed_family_is_taken_whole_with_its_rare_labels() -> None:
    sets = [{"kind/bug"}] * 40 + [{"kind/feature"}] * 30 + [{"kind/rare"}]
    group = ("kind/bug", "kind/feature", "kind/rare")
    assert infer_exclusive(sets, group) == (group,)


def test_families_are_judged_apart() -> None:
    sets = [{"kind/bug"}] * 40 + [{"os/mac"}] * 40 + [{"kind/doc"}] * 40 + [{"os/win"}] * 40
    found = infer_exclusive(sets, ["kind/bug", "kind/doc", "os/mac", "os/win"])
    assert found == (("kind/bug", "kind/doc"), ("os/mac", "os/win"))


def test_declared_groups_stand_whatever_history_shows() -> None:
    sets = [{"p/1", "p/2"}] * 50
    rules = Declared((("P/*",),))
    assert infer_exclusive(sets, ["p/1", "p/2", "bug"], rules) == (("p/1", "p/2"),)

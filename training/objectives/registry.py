"""The semi-supervised methods a recipe can name: a line each, made from the recipe's options.

Refuses methods and options that it does not know, naming the nearest, and values that make no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, get_type_hints

from bot.errors import UserError
from training.objectives import Term
from training.objectives.cap import ClassAware
from training.objectives.uda import Consistency
from training.objectives.ust import SelfTraining
from training.recipe_file import checked_value

TERMS: dict[str, type[Term]] = {term.name: term for term in (SelfTraining, Consistency, ClassAware)}
"""Name in the recipe -> a dataclass; its fields are the options."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "weight": (0, 1e6),
    "ratio": (0.01, 1000),
    "rounds": (1, 100),
    "passes": (2, 1000),
    "looked_at": (1, 10**9),
    "quota": (1, 10**9),
    "temperature": (0.01, 100),
    "sure": (0, 1),
    "trusted": (0, 1),
    "after": (0, 1),
    "looks": (1, 10**6),
}
"""Of options that are numbers, whichever method has them."""


def make_terms(chosen: Mapping[str, Mapping[str, Any]]) -> list[Term]:
    """The terms of a recipe, `{"uda": {"temperature": 0.4}, ...}`, in its order."""
    return [_make(name, options) for name, options in chosen.items()]


def _make(name: str, options: Mapping[str, Any]) -> Term:
    if name not in TERMS:
        raise UserError(f"The recipe asks for the method {_unknown(name, TERMS)}")
    made = TERMS[name]
    known = [option.name for option in fields(made) if option.init]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise UserError(f"The recipe gives {name} the option {_unknown(key, known)}")
    hints = get_type_hints(made)
    told = {
        key: checked_value(value, hints[key], where=f"{name}.{key}", bounds=BOUNDS.get(key))
        for key, value in options.items()
    }
    return made(**told)


def _unknown(word: str, known: Any) -> str:
    near = get_close_matches(word, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{word!r}, which does not exist.{hint} Known: {', '.join(known) or 'none'}."

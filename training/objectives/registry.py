"""The semi-supervised methods a recipe can name: a line each, made from the recipe's options.

Refuses methods and options that it does not know, naming the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from bot.errors import UserError
from training.objectives import Term
from training.objectives.cap import ClassAware
from training.objectives.uda import Consistency
from training.objectives.ust import SelfTraining

TERMS: dict[str, type[Term]] = {term.name: term for term in (SelfTraining, Consistency, ClassAware)}
"""Name in the recipe -> a dataclass; its fields are the options."""


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
    return made(**options)


def _unknown(word: str, known: Any) -> str:
    near = get_close_matches(word, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{word!r}, which does not exist.{hint} Known: {', '.join(known) or 'none'}."

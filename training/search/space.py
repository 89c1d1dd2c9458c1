"""What a search may turn, and how far: a range around the recipe that it starts from.

Refuses names that it does not know, naming the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from bot.errors import UserError
from training.objectives import Term
from training.objectives.registry import make_terms
from training.recipe import Recipe

if TYPE_CHECKING:
    from optuna import Trial

Values = dict[str, Any]
Suggest = Callable[["Trial", str, Any], Any]


def _factor(times: float) -> Suggest:
    """So many times less or more, all magnitudes alike."""
    return lambda trial, name, at: trial.suggest_float(name, at / times, at * times, log=True)


def _between(low: float, high: float) -> Suggest:
    return lambda trial, name, at: trial.suggest_float(name, min(low, at), max(high, at))


def _magnitude(low: float, high: float) -> Suggest:
    def suggest(trial: Trial, name: str, at: Any) -> Any:
        return trial.suggest_float(name, min(low, at), max(high, at), log=True)

    return suggest


def _whole(low: int, high: int) -> Suggest:
    return lambda trial, name, at: trial.suggest_int(name, min(low, at), max(high, at))


def _among(*choices: float) -> Suggest:
    return lambda trial, name, at: trial.suggest_categorical(name, sorted({*choices, at}))


SPACE: Mapping[str, Suggest] = {
    "learning_rate": _factor(5),
    "temperature": _magnitude(0.02, 0.5),
    "epochs": _whole(2, 10),
    "contrast": _between(0.0, 3.0),
    "averaging": _among(0.0, 0.9, 0.97),
    "head_learning_rate": _factor(5),
    "layer_decay": _between(0.7, 1.0),
    "frozen": _among(0.0, 0.25, 0.5),
    "smoothing": _between(0.0, 0.3),
    "weight_decay": _magnitude(1e-4, 0.1),
    "head_scale": _factor(3),
    "max_tokens": _among(64, 96, 128, 192, 256),
    "focus": _between(0.0, 4.0),
}
"""Fields of a recipe. What a recipe does not use (`focus` beside the plain loss) changes nothing."""
MAGNITUDES = ("learning_rate", "head_learning_rate", "weight_decay", "head_scale")
"""Those that are turned by factors, and may stand at 0."""
WEIGHT = ".weight"
"""`ust.weight`: how much a semi-supervised term counts beside the labels."""
TERM_WEIGHT = _factor(4)
USUAL = ("learning_rate", "temperature", "epochs", "contrast", "averaging")
"""And the weight of each semi-supervised term."""


def chosen_names(recipe: Recipe, asked: Sequence[str]) -> tuple[str, ...]:
    """What to turn: what was asked for, or the usual. UserError for what cannot be turned."""
    weights = tuple(f"{name}{WEIGHT}" for name in recipe.terms)
    known = (*SPACE, *weights)
    for name in asked:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"--vary {name}: it cannot be turned.{hint} Known: {', '.join(known)}.")
    chosen = tuple(dict.fromkeys(asked)) or (*USUAL, *weights)
    for name, value in values_of(recipe, chosen).items():
        if not value and (name in MAGNITUDES or name in weights):
            raise UserError(
                f"--vary {name}: the recipe has 0 there, and it is turned by factors. Give it another "
                "value, or vary others."
            )
    return chosen


def values_of(recipe: Recipe, names: Sequence[str]) -> Values:
    """Where the recipe itself stands."""
    weights = {f"{term.name}{WEIGHT}": term.weight for term in _terms(recipe)}
    return {name: weights[name] if name in weights else getattr(recipe, name) for name in names}


def suggest_values(trial: Trial, start: Values) -> Values:
    """The trial's own values, in ranges around those at the start."""
    return {name: SPACE.get(name, TERM_WEIGHT)(trial, name, value) for name, value in start.items()}


def with_values(recipe: Recipe, values: Values, *, name: str) -> Recipe:
    """The recipe, turned."""
    terms = {term: {**options, **_weight(values, term)} for term, options in recipe.terms.items()}
    own = {key: value for key, value in values.items() if key in SPACE}
    return replace(recipe, name=name, terms=terms, **own)


def _weight(values: Values, term: str) -> dict[str, Any]:
    key = f"{term}{WEIGHT}"
    return {"weight": values[key]} if key in values else {}


def _terms(recipe: Recipe) -> list[Term]:
    return make_terms(recipe.terms)

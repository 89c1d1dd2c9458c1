"""A recipe as a file: TOML, YAML or JSON. What is left out is as in the recipe `retrain`.

Refuses keys it does not know, naming the nearest, and values that make no sense.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from bot.errors import UserError
from training.recipe import RECIPES, Recipe

BASE = "retrain"
SUFFIXES = (".toml", ".yaml", ".yml", ".json")

BOUNDS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**31),
    "max_tokens": (4, 8192),
    "epochs": (1, 10_000),
    "max_passes": (1, 10**12),
    "min_steps": (1, 10**9),
    "batch": (2, 10**6),
    "accumulate": (1, 10_000),
    "repos_per_batch": (0, 10**6),
    "learning_rate": (0, 1e30),
    "head_learning_rate": (0, 1e30),
    "layer_decay": (0, 1),
    "frozen": (0, 1),
    "weight_decay": (0, 1),
    "warmup": (0, 1),
    "clip": (1e-6, 1e30),
    "contrast": (0, 1e6),
    "temperature": (1e-4, 100),
    "focus": (0, 20),
    "smoothing": (0, 0.9),
    "head_scale": (0, 1e6),
    "averaging": (0, 0.999999),
    "held_back": (0, 10**6),
    "held_out_parts": (0, 100),
    "lora_rank": (0, 4096),
    "lora_scale": (0, 1e6),
    "adapt_epochs": (1, 10_000),
    "adapt_learning_rate": (0, 1e30),
    "adapt_mask": (0.01, 0.9),
}


def read_recipe(path: Path) -> Recipe:
    """UserError if there is no such file, or it is not a recipe."""
    document = _parse(path)
    if not isinstance(document, dict):
        raise UserError(f"{path}: {type(document).__name__} instead of keys and values.")
    hints = get_type_hints(Recipe)
    for key, value in document.items():
        if key not in hints:
            near = get_close_matches(str(key), hints, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(hints)}."
            raise UserError(f"{path}: unknown key {key!r}.{hint}")
        document[key] = checked_value(
            value, hints[key], where=f"{path}: {key}", bounds=BOUNDS.get(key)
        )
    return Recipe(**{**asdict(RECIPES[BASE]), "name": path.stem, **document})


def recipe_text(recipe: Recipe) -> str:
    """As JSON, every key named; `read_recipe` gives the same recipe back."""
    return json.dumps(asdict(recipe), indent=1) + "\n"


def _parse(path: Path) -> Any:
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: a recipe is a file that ends with {', '.join(SUFFIXES)}.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the recipe cannot be read ({error}).") from None
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text) or {}
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not {path.suffix[1:].upper()} ({error}).") from None


def checked_value(
    value: Any, kind: Any, *, where: str, bounds: tuple[float, float] | None = None
) -> Any:
    """The value as one of that type; UserError that begins with `where`."""
    if get_origin(kind) is Literal:
        return _one_of(value, get_args(kind), where=where)
    if kind in (int, float):
        return _number(value, kind, where=where, bounds=bounds or (-math.inf, math.inf))
    if get_origin(kind) is Mapping:
        if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
            raise UserError(f"{where} must be a table of methods, each with a table of options.")
        return value
    if not isinstance(value, kind):
        raise UserError(f"{where} must be {kind.__name__}, not {value!r}.")
    return value


def _one_of(value: Any, known: tuple[Any, ...], *, where: str) -> Any:
    if value in known:
        return value
    near = get_close_matches(str(value), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(f"{where} must be one of {', '.join(known)}, not {value!r}.{hint}")


def _number(value: Any, kind: type, *, where: str, bounds: tuple[float, float]) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole or (kind is float and isinstance(value, float))):
        raise UserError(f"{where} must be {'a whole number' if kind is int else 'a number'}.")
    least, most = bounds
    if not least <= value <= most:
        raise UserError(f"{where} must lie between {least:g} and {most:g}, not {value!r}.")
    return kind(value)


assert BOUNDS.keys() == {f.name for f in fields(Recipe) if f.type in ("int", "float")}

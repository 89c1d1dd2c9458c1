from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bot.errors import UserError
from training.objectives.registry import TERMS, make_terms
from training.recipe import RECIPES, Recipe
from training.recipe_file import read_recipe, recipe_text

TOML = """
learning_rate = 1e-4
epochs = 2
[terms.uda]
temperature = 0.4
"""
YAML = "learning_rate: 0.0001\nepochs: 2\nterms: {uda: {temperature: 0.4}}\n"
JSON = '{"learning_rate": 0.0001, "epochs": 2, "terms": {"uda": {"temperature": 0.4}}}'


def written(tmp_path: Path, name: str, text: str) -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "text"), [("try.toml", TOML), ("try.yaml", YAML), ("try.json", JSON)]
)
def test_three_ways_to_write_one_recipe(tmp_path: Path, name: str, text: str) -> None:
    recipe = read_recipe(written(tmp_path, name, text))
    assert (recipe.name, recipe.learning_rate, recipe.epochs) == ("try", 1e-4, 2)
    assert recipe.terms == {"uda": {"temperature": 0.4}}
    assert recipe.contrast_within == RECIPES["retrain"].contrast_within == "repository"


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_saved_with_a_run_is_the_recipe(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, "recipe.json", recipe_text(RECIPES[name]))
    assert read_recipe(file) == RECIPES[name]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("learning_rat = 1", r"unknown key 'learning_rat'\. Did you mean 'learning_rate'\?"),
        ("zzz = 1", r"unknown key 'zzz'\. Known: name, seed"),
        ('loss = "focl"', r"loss must be one of plain, focal, asymmetric, .* mean 'focal'\?"),
        ("epochs = 1.5", "epochs must be a whole number"),
        ("epochs = true", "epochs must be a whole number"),
        ("held_back = -1", "held_back must lie between 0 and"),
        ("epochs = 0", "epochs must lie between 1 and"),
        ("clip = 0", "clip must lie between 1e-06 and"),
        ("learning_rate = nan", "learning_rate must lie between"),
        ('learning_rate = "fast"', "learning_rate must be a number"),
        ('checkpointing = "yes"', "checkpointing must be bool"),
        ("terms = 3", "terms must be a table of methods"),
        ("terms = { uda = 3 }", "terms must be a table of methods"),
        ("epochs = ", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_recipe(written(tmp_path, "bad.toml", text))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends with \.toml, \.yaml"):
        read_recipe(written(tmp_path, "recipe.ini", ""))
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path / "missing.toml")
    with pytest.raises(UserError, match="list instead of keys and values"):
        read_recipe(written(tmp_path, "list.json", "[]"))


def test_every_key_is_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fit.md").read_text(encoding="utf-8")
    assert [f.name for f in fields(Recipe) if f"`{f.name}`" not in text] == []


@pytest.mark.parametrize("method", TERMS)
def test_every_option_of_a_method_is_in_the_docs_with_its_default(method: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "fit.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith(f"| `{method}` |"))
    (made,) = make_terms({method: {}})
    own = [f.name for f in fields(type(made)) if f.init]  # type: ignore[arg-type]
    assert [x for x in own if f"`{x} = {json.dumps(getattr(made, x))}`" not in line] == []

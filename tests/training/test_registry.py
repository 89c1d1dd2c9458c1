from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from bot.errors import UserError
from tests.training.tiny import tiny_recipe
from training.objectives import Moment, Term, TermLoss
from training.objectives.registry import TERMS, make_terms


@dataclass
class Still(Term):
    """Says nothing, in two rounds."""

    name: ClassVar[str] = "still"
    temperature: float = 0.5
    rounds: int = 2

    def __call__(self, moment: Moment) -> TermLoss:
        return TermLoss(moment.labelled.logits.sum() * 0.0)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TERMS, "still", Still)


def test_options_of_the_recipe_reach_the_term() -> None:
    (term,) = make_terms({"still": {"temperature": 0.2}})
    assert (term.name, term.temperature, term.rounds) == ("still", 0.2, 2)
    assert (term.weight, term.ratio, term.state()) == (1.0, 1.0, {})


def test_unknown_methods_and_options_are_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"method 'stil', .* mean 'still'"):
        make_terms({"stil": {}})
    with pytest.raises(UserError, match=r"option 'temprature', .* mean 'temperature'"):
        make_terms({"still": {"temprature": 1}})


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"uda": {"temperature": "warm"}}, "uda.temperature must be a number"),
        ({"uda": {"temperature": 0}}, "uda.temperature must lie between 0.01 and"),
        ({"uda": {"annealing": "lin"}}, "annealing must be one of .* mean 'linear'"),
        ({"uda": {"augment": "tf-idf"}}, "no augmentation 'tf-idf'. Did you mean 'tfidf'"),
        ({"cap": {"augment": "none"}}, "no augmentation 'none'"),
        ({"cap": {"looks": 0}}, "cap.looks must lie between 1 and"),
        ({"cap": {"trusted": 1.5}}, "cap.trusted must lie between 0 and 1"),
        ({"ust": {"rounds": 0}}, "ust.rounds must lie between 1 and"),
        ({"ust": {"passes": 2.5}}, "ust.passes must be a whole number"),
        ({"ust": {"weight": -1}}, "ust.weight must lie between 0 and"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_trained(
    terms: dict[str, dict[str, object]], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        make_terms(terms)


def test_the_twin_differs_in_its_methods_and_name_alone() -> None:
    recipe = tiny_recipe(terms={"still": {}})
    twin = recipe.twin()
    assert make_terms(twin.terms) == []
    assert twin.name == "tiny-supervised"
    assert tiny_recipe(name=twin.name) == twin


def test_a_term_may_keep_every_default() -> None:
    term = Still()
    logits = torch.zeros(2, 2)
    assert term.begin_round(None) is None  # type: ignore[arg-type]
    assert term.weigh(logits, None) is None  # type: ignore[arg-type]

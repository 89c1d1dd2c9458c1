from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from bot.errors import UserError
from tests.training.tiny import filed, make_rows, make_tiny_encoder, tiny_recipe
from training.device import find_device
from training.recipe import recipe_named
from training.scoring.setfit_reference import train_setfit
from training.task import make_task

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


def test_it_trains_in_full_precision_and_says_so() -> None:
    assert str(find_device(recipe_named("setfit").precision)).endswith("fp32")


@pytest.mark.parametrize("two_labels", [False, True])
def test_setfit_trains_on_the_same_task(base: Path, two_labels: bool) -> None:
    task = make_task(filed(make_rows(48, two_labels=two_labels)), min_count=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's code
        scorer = train_setfit(task, tiny_recipe(engine="setfit"), seed=0, base=base)
        found = scorer.probabilities(task.issues)
    assert found.shape == task.known.shape
    assert np.isfinite(found).all()
    assert scorer.held_out is None
    positive, negative = found[task.known > 0].mean(), found[task.known < 0].mean()
    assert positive > negative
    if not two_labels:
        assert found.sum(axis=1) == pytest.approx(1)


def test_what_setfit_fails_on_is_refused_politely(tmp_path: Path) -> None:
    """Of issues of one kind it finds no pair that differs, and says so by an IndexError."""
    issues = [{**row, "labels": ["bug", "docs"]} for row in make_rows(6)]
    with pytest.raises(UserError, match="6 issues of a/one bear the same labels"):
        train_setfit(make_task(filed(issues)), tiny_recipe(engine="setfit"), seed=0, base=None)
    task = make_task(filed(make_rows(6)))
    with pytest.raises(UserError, match="no encoder there"):
        train_setfit(task, tiny_recipe(engine="setfit"), seed=0, base=tmp_path)

"""A house with issues to learn from, whose fits run in this process."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.classify.build import build_bundle
from bot.store.engine import Database
from tests.training.runs.houses import Here, Promoted
from tests.training.test_cut_store import fill
from tests.training.tiny import tiny_recipe
from training.judge.gate import Terms
from training.recipe import Recipe
from training.run import House


@pytest.fixture(scope="module")
def champion(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("champion") / "bundle"
    build_bundle(tiny_weights, out)
    return out


@pytest.fixture
def recipe(tiny_weights: Path) -> Recipe:
    return tiny_recipe(encoder=str(tiny_weights), epochs=1, min_steps=3, held_out_parts=0)


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def promoted() -> Promoted:
    return Promoted([])


@pytest.fixture
def house(
    database: Database, tmp_path: Path, champion: Path, here: Here, promoted: Promoted
) -> House:
    with database.session() as session:
        fill(session, count=120)
    return House(
        database=database,
        directory=tmp_path / "runs",
        champion=lambda: champion,
        settling=timedelta(days=7),
        launcher="local",
        launch=lambda run_id: here,
        promote=promoted,
        backend="fp32",
        terms=Terms(least_issues=10, least_positives=5, least_unseen=0),
    )

"""A challenger that is better wins, with nothing forced: snapshot, fit, export, evaluate, gate, promote, serve.

Five repositories give the same labels, and their issues share a language of made-up words. No repository
has seen many of its next issue's words, all of them together have: only an encoder that was tuned on all can
tell. The champion is the same encoder with random weights.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.core.types import LabelSpec
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.jobs.rollout.promotion import champion_dir, promote
from bot.sandbox.server import SandboxServer
from bot.store import bundles, installations, repositories, runs
from tests.integration.down_the_road import Road
from tests.integration.jobs_at_hand import LONG_AGO, REPO
from tests.integration.takeovers import MOVING, Deployment
from tests.training.runs.houses import Here, silent
from tests.training.tiny import make_tiny_encoder, tiny_recipe
from training.run import House, retrain

LABELS = (LabelSpec("bug"), LabelSpec("feature"), LabelSpec("question"))
REPOS = (REPO, *(f"acme/part{n}" for n in range(4)))
ISSUES, WORDS = 215, 150
SOUNDS = [
    f"{a}{b}{c}{d}" for a in "bdfgklmn" for b in "aeiou" for c in "bdgkmnprst" for d in "aeiou"
]
random.Random(0).shuffle(SOUNDS)
OF_LABEL = {spec.name: SOUNDS[i * WORDS : (i + 1) * WORDS] for i, spec in enumerate(LABELS)}
FILLER = SOUNDS[len(LABELS) * WORDS :][:200]


def write(rng: random.Random, words: list[str]) -> tuple[str, str]:
    """Title and body: two words that tell, among six that don't."""
    told = rng.sample(words, k=2) + rng.choices(FILLER, k=6)
    rng.shuffle(told)
    return " ".join(told[:3]), " ".join(told[3:])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"), more=SOUNDS)


@pytest.fixture(scope="module")
def champion(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("champion") / "bundle"
    build_bundle(base, out)
    return out


@pytest.fixture(scope="module")
def tiny_encoder(champion: Path) -> Iterator[Encoder]:
    """What workers serve with."""
    opened = Encoder.open(champion)
    yield opened
    opened.close()


def meet(context: Context, sandbox: SandboxServer) -> dict[str, int]:
    """Every repository with its history and a head; name -> id."""
    ids = {name: sandbox.add_repository(name, labels=LABELS) for name in REPOS}
    installation_id = sandbox.install("acme", REPOS)
    with context.database.session() as session:
        installations.upsert(session, id=installation_id, account="acme", write_interval=0.0)
        for name, id in ids.items():
            repositories.upsert(
                session, id=id, installation_id=installation_id, full_name=name, private=False
            )
    for name, id in ids.items():
        rng = random.Random(name)
        for n in range(ISSUES):
            label = LABELS[n % len(LABELS)].name
            title, body = write(rng, OF_LABEL[label])
            filed = LONG_AGO + timedelta(hours=n)
            sandbox.seed_issue(name, title=title, body=body, labels=[label], created_at=filed)
        read_history(context, repository_id=id)
        learn_repository(context, repository_id=id, reason="test")
    return ids


def new_words(label: str) -> list[str]:
    """Words of the label that no issue of `REPO` has."""
    rng, met = random.Random(REPO), set()
    for n in range(ISSUES):
        title, body = write(rng, OF_LABEL[LABELS[n % len(LABELS)].name])
        met |= {*title.split(), *body.split()}
    return [word for word in OF_LABEL[label] if word not in met]


def test_what_is_better_comes_to_serve(
    context: Context, sandbox: SandboxServer, base: Path, champion: Path, tmp_path: Path
) -> None:
    ids, database, place = meet(context, sandbox), context.database, tmp_path / "bundles"
    with database.session() as session:
        row = repositories.get(session, ids[REPO])
        assert row is not None
    title, body = write(random.Random(1), new_words("question"))
    roads = [
        Road(
            context,
            sandbox,
            row.id,
            row.installation_id,
            sandbox.open_issue(REPO, title=title, body=body),
        )
        for _ in range(2)
    ]
    roads[0].label(delivery=1)
    assert roads[0].labels == {}

    house = House(
        database=database,
        directory=tmp_path / "runs",
        champion=lambda: champion_dir(database, champion),
        settling=timedelta(days=7),
        launcher="local",
        launch=lambda run_id: Here(),
        promote=lambda bundle, run_id: promote(
            database, bundle, bundles_dir=place, configured=champion, run_id=run_id
        ),
        backend="fp32",
    )
    recipe = tiny_recipe(encoder=str(base), epochs=12, batch=32)
    outcome = retrain(
        house, recipe=replace(recipe, held_back=60), reason="weekly", on_progress=silent
    )
    assert outcome.startswith("The challenger is promoted: with the cuts that keep the promise")
    with database.session() as session:
        (run,) = runs.newest(session)
        winner = bundles.challenger(session)
        assert winner is not None
        assert (run.status, run.report["promoted"], winner.run_id) == ("promoted", True, run.id)

    there = Deployment(context, row.id, champion, Path(winner.directory), place)
    there.work_off(*MOVING)
    assert there.states == {
        winner.id: "champion",
        read_bundle(champion).manifest.bundle_id: "previous",
    }
    assert there.serving.bundle == winner.id
    roads[1].label(delivery=2)
    assert list(roads[1].labels) == ["question"]

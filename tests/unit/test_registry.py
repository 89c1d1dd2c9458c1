"""Models in memory: two encoders at most, each what its id says, and as many heads as there is room for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.classify.head import fit_head
from bot.classify.history import History
from bot.classify.registry import EncoderCache, HeadCache
from bot.core.types import LabelSpec
from bot.errors import UserError


@pytest.fixture(scope="module")
def three(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundle id -> directory."""
    found = {}
    for limit in (12, 16, 20):
        out = tmp_path_factory.mktemp("cut") / str(limit)
        found[build_bundle(tiny_weights, out, max_tokens=limit).manifest.bundle_id] = out
    return found


def test_the_one_used_longest_ago_goes_and_comes_back(three: dict[str, Path]) -> None:
    first, second, third = three
    cache = EncoderCache(Encoder.open(three[first]))
    assert cache.get(second, three[second]) is cache.get(second, None)
    cache.get(first, None)
    held = cache.get(second, None)
    cache.get(first, None)
    cache.get(third, three[third])
    assert cache.open == (first, third)
    assert held.encode(["a bug"]).shape == (1, 32)  # who holds it may go on
    assert cache.get(second, three[second]) is not held


def test_another_bundle_in_its_place_is_refused(three: dict[str, Path]) -> None:
    first, second, third = three
    cache = EncoderCache(Encoder.open(three[first]))
    with pytest.raises(UserError, match=f"holds bundle {third}, not {second}"):
        cache.get(second, three[third])
    with pytest.raises(UserError, match="not known here"):
        cache.get(second, None)
    assert cache.open == (first,)
    assert read_bundle(three[first]).manifest.bundle_id == first


def zero_shot(dim: int) -> bytes:
    """A head that knows one label by its name; `dim` makes it heavy."""
    nothing = History([], np.zeros((0, dim), np.float32), np.zeros((0, 1), np.int8), np.zeros(0))
    return fit_head(
        nothing, (LabelSpec("bug"),), label_vectors=np.ones((1, dim), np.float32)
    ).to_bytes()


def test_heads_are_held_as_long_as_there_is_room_for_their_bytes() -> None:
    light, heavy, read = zero_shot(4), zero_shot(50_000), []
    cache = HeadCache(capacity=1 << 20)

    def get(head_id: int, artefact: bytes) -> None:
        cache.get(head_id, lambda: read.append(head_id) or artefact)  # type: ignore[func-returns-value]

    for head_id in range(1, 41):
        get(head_id, light)
    get(1, light)
    assert read == list(range(1, 41))  # many light ones
    for _ in range(2):
        get(50, heavy)  # alone it is no more than there is room for
    get(51, heavy)
    get(51, heavy)
    get(50, heavy)
    assert read[40:] == [50, 51, 50]
    get(1, light)
    get(1, light)
    assert read[43:] == [1]

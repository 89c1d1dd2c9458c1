"""Encoders in memory: two at most, each what its id says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.classify.registry import EncoderCache
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

"""Building: what the graph computes, how it is rounded, and what is refused with which words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from bot.classify import weights as weights_module
from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.graph import encoder_graph
from bot.classify.quantise import channel_scales, round_columns
from bot.classify.session import open_session
from bot.classify.weights import (
    BASE_FILES,
    Weights,
    find_base_weights,
    locate,
    read_weights,
)
from bot.errors import UserError
from tests.fixtures.bundle import write_tiny_weights


@pytest.fixture
def copy(tiny_weights: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_weights, tmp_path / "copy"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def plain_encoder(weights: Weights, ids: np.ndarray) -> np.ndarray:
    """BERT as its paper has it, in float64, for one row of ids; the reference of these tests."""
    get = {name: value.astype(np.float64) for name, value in weights.tensors.items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ get[f"{name}.weight"].T + get[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + weights.epsilon)
        return scaled * get[f"{name}.weight"] + get[f"{name}.bias"]

    def attention(x: np.ndarray, name: str) -> np.ndarray:
        q, k, v = (
            dense(x, f"{name}.{part}").reshape(len(x), weights.heads, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        logits = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
        share = np.exp(logits - logits.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True)) @ v
        return mixed.swapaxes(0, 1).reshape(len(x), -1)

    def gelu(x: np.ndarray) -> np.ndarray:
        from math import erf

        return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))

    first = weights.first_position
    x = get["embeddings.word_embeddings.weight"][ids]
    x = x + get["embeddings.position_embeddings.weight"][first : first + len(ids)]
    x = norm(x + get["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(weights.layers):
        name = f"encoder.layer.{layer}"
        mixed = dense(attention(x, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = norm(x + mixed, f"{name}.attention.output.LayerNorm")
        inner = gelu(dense(x, f"{name}.intermediate.dense"))
        x = norm(x + dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    pooled = x[0] if weights.pooling == "cls" else x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled))


def graph_encoder(weights: Weights, ids: np.ndarray) -> np.ndarray:
    session = open_session(encoder_graph(weights).SerializeToString())
    return np.asarray(session.run(["vector"], {"input_ids": ids[None]})[0][0])


@pytest.mark.parametrize("tokens", [2, 3, 17, 49])
def test_the_graph_is_bert(tiny_weights: Path, tokens: int) -> None:
    weights = read_weights(tiny_weights)
    ids = np.random.default_rng(tokens).integers(0, 60, tokens)
    np.testing.assert_allclose(
        graph_encoder(weights, ids), plain_encoder(weights, ids), rtol=1e-4, atol=2e-6
    )


def test_roberta_counts_positions_from_after_the_padding(tmp_path: Path) -> None:
    write_tiny_weights(tmp_path, model_type="xlm-roberta", pad=1)
    weights = read_weights(tmp_path)
    ids = np.arange(4, 16)
    assert weights.first_position == 2
    assert weights.max_tokens == 48
    np.testing.assert_allclose(
        graph_encoder(weights, ids), plain_encoder(weights, ids), rtol=1e-4, atol=2e-6
    )


def test_pools_on_the_first_token_where_the_model_does(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    weights = read_weights(copy)
    ids = np.arange(4, 16)
    assert weights.pooling == "cls"
    np.testing.assert_allclose(
        graph_encoder(weights, ids), plain_encoder(weights, ids), rtol=1e-4, atol=2e-6
    )


def test_reads_half_precision_and_prefixed_names(copy: Path) -> None:
    before = read_weights(copy)
    halves = {f"bert.{k}": v.astype(np.float16) for k, v in before.tensors.items()}
    save_file(halves, copy / "model.safetensors")
    after = read_weights(copy)
    assert set(after.tensors) == set(before.tensors)
    assert {value.dtype for value in after.tensors.values()} == {np.dtype(np.float32)}


def test_golden_vectors_are_unit_and_near_each_other(tiny_bundle: Path) -> None:
    golden = load_file(read_bundle(tiny_bundle).golden)
    for rows in golden.values():
        assert rows.shape == (16, 32)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert (golden["int8"] * golden["fp32"]).sum(axis=1).min() > 0.99


def test_two_builds_are_one_bundle(tiny_weights: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    again = build_bundle(tiny_weights, tmp_path / "again")
    assert again.manifest.bundle_id == read_bundle(tiny_bundle).manifest.bundle_id


def test_a_build_over_a_bundle_replaces_it(tiny_weights: Path, tmp_path: Path) -> None:
    build_bundle(tiny_weights, tmp_path / "out")
    build_bundle(tiny_weights, tmp_path / "out", max_tokens=9)
    assert read_bundle(tmp_path / "out").manifest.max_tokens == 9


def test_never_promises_more_tokens_than_the_model_has(tiny_bundle: Path) -> None:
    assert read_bundle(tiny_bundle).manifest.max_tokens == 49


matrices = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).standard_t(2, size=(12, 5)).astype(np.float32)
)


@given(matrices)
@settings(max_examples=60, deadline=None)
def test_no_pair_of_products_can_saturate_sixteen_bits(weight: np.ndarray) -> None:
    rounded, _ = round_columns(weight)
    sizes = np.abs(rounded.astype(np.int64))
    assert 255 * (sizes[:-1] + sizes[1:]).max() <= np.iinfo(np.int16).max


@given(matrices)
@settings(max_examples=60, deadline=None)
def test_rounding_is_off_by_half_a_step_at_most(weight: np.ndarray) -> None:
    rounded, scale = round_columns(weight)
    assert (np.abs(rounded * scale - weight) <= scale * 0.501).all()


def test_rounds_a_column_of_zeros() -> None:
    rounded, scale = round_columns(np.zeros((4, 2), dtype=np.float32))
    assert not rounded.any()
    assert np.isfinite(scale).all()


def test_hot_channels_are_cooled() -> None:
    largest = np.array([1.0, 1.0, 50.0, 0.0])
    scales = channel_scales(np.ones((4, 3), dtype=np.float32), largest)
    assert scales.argmax() == 2
    cooled = largest / scales
    assert cooled.max() / cooled[0] < 50
    assert np.isfinite(scales).all()
    assert (scales > 0).all()


def test_refuses_a_model_that_eight_bits_ruin(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.classify.quantise.PAIR_LIMIT", 2)
    with pytest.raises(UserError, match="cannot be served in eight bits"):
        build_bundle(tiny_weights, tmp_path / "out")


def test_names_the_tensor_that_is_missing(copy: Path, tmp_path: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.bias"]
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(UserError, match=r"no 'encoder\.layer\.1\.output\.dense\.bias'"):
        build_bundle(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_refuses_weights_cut_short(copy: Path) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors is cut short .*download it again"):
        read_weights(copy)


def test_refuses_weights_that_are_not_numbers(copy: Path) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["encoder.layer.0.output.dense.bias"][:] = np.nan
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(UserError, match=r"layer\.0\.output\.dense\.bias holds numbers"):
        read_weights(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_names_the_file_of_the_model_that_is_missing(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        read_weights(copy)


def test_refuses_a_broken_tokenizer(copy: Path, tmp_path: Path) -> None:
    (copy / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(UserError, match=r"tokenizer\.json is not a tokenizer"):
        build_bundle(copy, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "t5"}, "'t5' is none of bert"),
        ({"model_type": None}, "None is none of bert"),
        ({"hidden_act": "relu"}, "relu activation"),
        ({"position_embedding_type": "relative_key"}, "relative_key positions"),
    ],
)
def test_refuses_another_architecture(copy: Path, changes: dict[str, Any], reason: str) -> None:
    edit(copy / "config.json", **changes)
    with pytest.raises(UserError, match=rf"{reason}.*training environment"):
        read_weights(copy)


def test_refuses_layers_after_the_pooling(copy: Path) -> None:
    (copy / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]')
    with pytest.raises(UserError, match="module Dense"):
        read_weights(copy)


def test_refuses_other_pooling(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(UserError, match="max_tokens; mean and cls"):
        read_weights(copy)


def test_base_weights_are_the_pinned_ones() -> None:
    directory = find_base_weights()
    assert all((directory / name).is_file() for name in BASE_FILES)


def test_refuses_base_weights_with_another_hash(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_module, "_packaged_weights", lambda: copy)
    with pytest.raises(UserError, match=r"model\.safetensors was changed .*pip install"):
        find_base_weights()


def test_without_package_and_hub_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights_module, "BASE_PACKAGE", "no_such_package_of_weights")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"Cannot get sentence-transformers/.* pip install"):
        find_base_weights()


def test_an_unreachable_hub_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise httpx.ConnectError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(UserError, match=r"owner/name .*Name or service not known"):
        locate("owner/name")


def test_asks_the_hub_for_the_revision_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}

    def download(model: str, *, revision: str | None, **_: object) -> str:
        asked.update(model=model, revision=revision)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert locate("owner/name@abc123") == tmp_path
    assert asked == {"model": "owner/name", "revision": "abc123"}


@pytest.mark.parametrize("source", ["nowhere", "./nowhere/here", "a/b/c", Path("owner/name")])
def test_a_source_that_is_nothing_is_explained(source: str | Path) -> None:
    with pytest.raises(UserError, match="no such directory"):
        locate(source)

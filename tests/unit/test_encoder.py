"""Encoding: order, neighbours, threads, cutting, and who serves when int8 comes out differently."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from bot.classify.bundle import file_sha256
from bot.classify.encoder import Encoder
from bot.classify.session import open_tokenizer, token_ids
from bot.errors import UserError

TEXTS = [
    "crash",
    "",
    "how to label a bug " * 40,
    "Ünïcödé 漢字 🐛",
    "the build is closed",
    "\0\n\t ",
]


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Iterator[Encoder]:
    opened = Encoder.open(tiny_bundle, threads=2)
    yield opened
    opened.close()


def rewrite_golden(bundle: Path, **rows: np.ndarray) -> None:
    """Other golden vectors, with the manifest to match: a bundle from a machine that rounds otherwise."""
    path = bundle / "golden.safetensors"
    save_file({**load_file(path), **rows}, path)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"][path.name] = file_sha256(path)
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def other_vectors() -> np.ndarray:
    rows = np.random.default_rng(1).normal(size=(16, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_unit_rows_in_float32(tiny: Encoder) -> None:
    vectors = tiny.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), tiny.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_no_texts_give_no_rows(tiny: Encoder) -> None:
    assert tiny.encode([]).shape == (0, 32)


def test_a_vector_depends_on_its_text_alone(tiny: Encoder) -> None:
    alone = np.vstack([tiny.encode([text]) for text in TEXTS])
    np.testing.assert_array_equal(tiny.encode(TEXTS), alone)
    np.testing.assert_array_equal(tiny.encode(TEXTS[::-1]), alone[::-1])


def test_many_threads_may_ask_at_once(tiny: Encoder) -> None:
    expected = tiny.encode(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(lambda _: tiny.encode(TEXTS), range(24)):
            np.testing.assert_array_equal(vectors, expected)


def test_cuts_where_it_is_told_and_never_later(tiny_bundle: Path) -> None:
    short = Encoder.open(tiny_bundle, max_tokens=4)
    long = Encoder.open(tiny_bundle, max_tokens=10_000)
    same_start, other_end = short.encode(["bug crash is open", "bug crash in the docs"])
    np.testing.assert_array_equal(same_start, other_end)
    first, second = long.encode(["bug crash is open", "bug crash in the docs"])
    assert (first * second).sum() < 0.9999
    assert (short.max_tokens, long.max_tokens) == (4, 49)


words = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["crash", "x" * 120])
separators = st.sampled_from([" ", "\n", "\t", "\u3000", "-", ""])


@given(st.lists(st.tuples(words, separators), max_size=60))
@settings(max_examples=200, deadline=None)
def test_looking_at_the_start_gives_the_tokens_of_the_whole(
    tiny_bundle: Path, parts: list[tuple[str, str]]
) -> None:
    text = "".join(word + separator for word, separator in parts)
    tokenizer = open_tokenizer(tiny_bundle / "tokenizer.json", max_tokens=16)
    whole = tokenizer.encode(text).ids
    found = token_ids(tokenizer, text, max_tokens=16)[0].tolist()
    assert found == whole


def test_a_huge_text_is_its_start(tiny: Encoder) -> None:
    start = "label the file " * 300
    vectors = tiny.encode([start, start + "closed " * 200_000])
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_int8_and_fp32_agree(tiny_bundle: Path, tiny: Encoder) -> None:
    exact = Encoder.open(tiny_bundle, backend="fp32")
    assert (tiny.backend, exact.backend) == ("int8", "fp32")
    assert tiny.bundle_id == exact.bundle_id
    assert (tiny.encode(TEXTS) * exact.encode(TEXTS)).sum(axis=1).min() > 0.98


def test_fp32_serves_where_int8_comes_out_differently(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite_golden(copy, int8=other_vectors())
    with caplog.at_level(logging.WARNING):
        encoder = Encoder.open(copy)
    exact = Encoder.open(copy, backend="fp32")
    assert encoder.backend == "fp32"
    assert "fp32 serves" in caplog.text
    np.testing.assert_array_equal(encoder.encode(TEXTS), exact.encode(TEXTS))


def test_refuses_when_fp32_comes_out_differently_too(copy: Path) -> None:
    rewrite_golden(copy, int8=other_vectors(), fp32=other_vectors())
    with pytest.raises(UserError, match=r"golden vectors; build it again"):
        Encoder.open(copy)


def test_refuses_golden_vectors_of_another_bundle(copy: Path) -> None:
    rewrite_golden(copy, int8=np.ones((3, 32), dtype=np.float32))
    with pytest.raises(UserError, match="does not fit the manifest"):
        Encoder.open(copy)


def test_refuses_a_graph_that_the_runtime_cannot_load(copy: Path) -> None:
    path = copy / "model.int8.onnx"
    path.write_bytes(b"not a graph")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][path.name] = file_sha256(path)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"cannot load .*model\.int8\.onnx"):
        Encoder.open(copy)


def test_a_changed_graph_never_serves(copy: Path) -> None:
    with (copy / "model.int8.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(UserError, match=r"model\.int8\.onnx was changed"):
        Encoder.open(copy)


def test_opens_without_the_graph_it_does_not_need(copy: Path) -> None:
    (copy / "model.fp32.onnx").unlink()
    assert Encoder.open(copy).backend == "int8"


def test_the_real_encoder_knows_what_is_alike(encoder: Encoder) -> None:
    question, same, other = encoder.encode(
        [
            "The application crashes on startup",
            "App segfaults immediately when launched",
            "Please add a dark theme to the settings page",
        ]
    )
    assert question @ same > 0.5
    assert question @ same > question @ other + 0.3
    assert encoder.dim == 384
    assert encoder.text_version == 1

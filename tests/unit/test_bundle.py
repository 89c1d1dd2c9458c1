"""A bundle is complete or absent, and says which file is wrong."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bot.classify.build import build_bundle
from bot.classify.bundle import publishing, read_bundle
from bot.classify.encoder import Encoder
from bot.classify.publish import publish
from bot.classify.seen import PROVENANCE, UNKNOWN, Provenance
from bot.errors import UserError

AT = datetime(2024, 5, 1, tzinfo=UTC)
SEEN = Provenance(("abc",), {"a/one": AT, "b/two": None})
FILES = ("model.fp32.onnx", "model.int8.onnx", "tokenizer.json", "golden.safetensors")


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def test_reads_what_was_built(tiny_bundle: Path) -> None:
    manifest = read_bundle(tiny_bundle).manifest
    assert (manifest.dim, manifest.licence) == (32, "cc0-1.0")
    assert set(manifest.files) == set(FILES)
    assert len(manifest.golden_texts) == 16
    assert len(manifest.lineage["weights_sha256"]) == 64


@pytest.mark.parametrize("name", FILES)
def test_names_the_file_that_was_changed(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as stream:
        stream.seek(40)
        stream.write(b"\0\1\2\3\4\5\6\7")
    with pytest.raises(UserError, match=rf"{name} was changed .*models build"):
        read_bundle(copy)


@pytest.mark.parametrize("name", FILES)
def test_names_the_file_that_was_cut_short(copy: Path, name: str) -> None:
    path = copy / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=name):
        read_bundle(copy)


def test_names_the_file_that_is_missing(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json .*models build"):
        read_bundle(copy)


def test_checks_only_the_files_that_are_asked_for(copy: Path) -> None:
    (copy / "model.fp32.onnx").unlink()
    assert read_bundle(copy, files=["model.int8.onnx"]).manifest.dim == 32


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "format 1"),
        ('{"format": 9}', "format 1"),
        ('{"format": 1, "golden_texts": [], "colour": 2}', "colour"),
        ('{"format": 1}', "golden_texts"),
    ],
)
def test_refuses_a_foreign_manifest(copy: Path, text: str, reason: str) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=reason):
        read_bundle(copy)


def test_refuses_a_manifest_that_leaves_a_file_out(copy: Path) -> None:
    document = json.loads((copy / "manifest.json").read_text())
    del document["files"]["model.int8.onnx"]
    (copy / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"does not list model\.int8\.onnx"):
        read_bundle(copy)


def test_says_how_to_get_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No bundle .* build one with"):
        read_bundle(tmp_path)


def test_the_id_follows_what_moves_a_vector(tiny_bundle: Path) -> None:
    manifest = read_bundle(tiny_bundle).manifest
    assert replace(manifest, name="other", licence="mit").bundle_id == manifest.bundle_id
    assert replace(manifest, max_tokens=7).bundle_id != manifest.bundle_id
    assert replace(manifest, text_version=99).bundle_id != manifest.bundle_id
    files = {**manifest.files, "model.int8.onnx": "0" * 64}
    assert replace(manifest, files=files).bundle_id != manifest.bundle_id


def test_a_write_that_fails_leaves_the_old_bundle(copy: Path) -> None:
    def write() -> None:
        with publishing(copy) as directory:
            (directory / "model.int8.onnx").write_bytes(b"half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write()
    assert read_bundle(copy).manifest.dim == 32
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_write_replaces_the_old_bundle_whole(copy: Path) -> None:
    with publishing(copy) as directory:
        (directory / "manifest.json").write_text("{}")
    assert [path.name for path in copy.iterdir()] == ["manifest.json"]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_of_many_writers_one_wins_whole(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with publishing(tmp_path / "bundle") as directory:
            (directory / "half").write_text(str(number))
            (directory / "manifest.json").write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    halves = {path.read_text() for path in (tmp_path / "bundle").iterdir()}
    assert len(halves) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_never_replaces_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(UserError, match="not a bundle"), publishing(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_says_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="Cannot write a bundle"),
        publishing(tmp_path / "file" / "x"),
    ):
        pass


# -- what the encoder learned from ------------------------------------------------------------------


@pytest.fixture
def tuned(tiny_weights: Path, tmp_path: Path) -> Path:
    """Weights that a fit left behind, with what they have seen."""
    weights = Path(shutil.copytree(tiny_weights, tmp_path / "tuned"))
    (weights / PROVENANCE).write_text(SEEN.text())
    return weights


def test_a_bundle_tells_what_its_encoder_learned_from(
    tuned: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = build_bundle(tuned, tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").provenance == SEEN
    assert bundle.manifest.bundle_id != read_bundle(tiny_bundle).manifest.bundle_id
    served = publish(tmp_path / "bundle", tmp_path / "served")
    assert served.provenance == SEEN
    encoder = Encoder.open(served.directory)
    encoder.close()
    assert encoder.provenance == SEEN
    (served.directory / PROVENANCE).write_text(UNKNOWN.text())
    with pytest.raises(UserError, match=r"provenance\.json was changed"):
        Encoder.open(served.directory)


def test_a_bundle_without_that_file_has_seen_nothing_of_ours(copy: Path) -> None:
    (copy / PROVENANCE).write_text("{")  # which no hash vouches for
    assert read_bundle(copy).provenance == UNKNOWN


def test_weights_whose_provenance_is_broken_are_not_built(tuned: Path, tmp_path: Path) -> None:
    (tuned / PROVENANCE).write_text("{")
    with pytest.raises(UserError, match="nobody can tell what this encoder has seen"):
        build_bundle(tuned, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_rows_that_were_seen() -> None:
    times = np.array([AT.timestamp() + hours * 3600 for hours in (-1, 0, 1)])
    told = SEEN.rows("a/one", times)
    assert told is not None
    assert told.tolist() == [True, True, False]
    for rows in (SEEN.rows("b/two", times), SEEN.rows("a/one", times, dated=False)):
        assert rows is not None
        assert rows.all(), "nobody can tell which"
    assert SEEN.rows("c/three", times) is None

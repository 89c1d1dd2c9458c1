"""A fitted encoder becomes a bundle only if both its graphs say what torch says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.classify.bundle import read_bundle
from bot.errors import UserError
from tests.training.tiny import make_tiny_encoder
from training import export
from training.cli import app
from training.export import LEAST_PARITY, check_parity, export_bundle
from training.fit.output import write_encoder
from training.network import open_encoder


@pytest.fixture
def fitted(tiny_weights: Path, tmp_path: Path) -> Path:
    """The tiny model with all that sentence-transformers asks of a directory."""
    directory = Path(shutil.copytree(tiny_weights, tmp_path / "encoder"))
    kinds = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "2_Normalize").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "sep_token": "[SEP]", **special})
    )
    return directory


def test_the_bundle_agrees_with_torch_and_tells_where_it_comes_from(
    fitted: Path, tmp_path: Path
) -> None:
    bundle, parity = export_bundle(fitted, tmp_path / "bundle", lineage={"snapshot": "abc"})
    assert {found.backend for found in parity} == {"int8", "fp32"}
    assert all(LEAST_PARITY[found.backend] < found.worst <= found.mean for found in parity)
    kept = read_bundle(tmp_path / "bundle")
    assert kept.manifest == bundle.manifest
    assert kept.manifest.lineage["snapshot"] == "abc"
    assert "weights_sha256" in kept.manifest.lineage


def test_code_that_a_box_sends_along_is_not_run(fitted: Path, tmp_path: Path) -> None:
    (fitted / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Transformer: ...")
    modules = json.loads((fitted / "modules.json").read_text())
    modules[0]["type"] = "evil.Transformer"
    (fitted / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=r"cannot be opened .*the champion keeps serving"):
        export_bundle(fitted, tmp_path / "bundle")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("backend", ["fp32", "int8"])
def test_a_graph_that_disagrees_is_not_exported(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    out = tmp_path / "bundle"
    export_bundle(fitted, out)
    before = read_bundle(out).manifest
    monkeypatch.setattr(export, "LEAST_PARITY", {"fp32": 0.9, "int8": 0.9, backend: 1.1})
    with pytest.raises(UserError, match=f"The {backend} graph .* the champion keeps serving"):
        export_bundle(fitted, out)
    assert read_bundle(out).manifest == before
    with pytest.raises(UserError, match="is not exported"):
        export_bundle(fitted, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_the_command(fitted: Path, tmp_path: Path) -> None:
    asked = ["export", "--fit", str(fitted.parent), "--out", str(tmp_path / "bundle")]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 2
    assert "done.json" in refused.output
    (tmp_path / "done.json").write_text('{"recipe": "tiny", "snapshot": "abc"}')
    assert CliRunner().invoke(app, asked).exit_code == 0
    manifest = read_bundle(tmp_path / "bundle").manifest
    assert (manifest.lineage["recipe"], manifest.lineage["snapshot"]) == ("tiny", "abc")
    assert manifest.name == "tiny-abc"


def test_what_a_fit_leaves_is_exported(tmp_path: Path) -> None:
    base = make_tiny_encoder(tmp_path / "base")
    write_encoder(open_encoder(base), tmp_path / "fit" / "encoder", base=base, max_tokens=24)
    bundle, parity = export_bundle(tmp_path / "fit" / "encoder", tmp_path / "bundle")
    assert bundle.manifest.max_tokens == 24
    assert min(found.worst for found in parity) > 0.98


def test_vectors_that_are_no_numbers_agree_with_nothing(tiny_bundle: Path) -> None:
    bundle = read_bundle(tiny_bundle)
    wrong = np.full((len(bundle.manifest.golden_texts), bundle.manifest.dim), np.nan)
    with pytest.raises(UserError, match="is not exported"):
        check_parity(bundle, wrong)


def test_an_encoder_cut_short_is_refused(fitted: Path, tmp_path: Path) -> None:
    weights = fitted / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short or broken"):
        export_bundle(fitted, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()

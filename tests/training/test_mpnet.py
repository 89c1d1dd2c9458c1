"""An MPNet encoder as a bundle: attention by distance comes out as torch has it, near and far."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from transformers import MPNetConfig, MPNetModel
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from bot.classify.build import build_bundle
from bot.classify.encoder import Encoder
from bot.classify.mpnet import BIAS, bucket_of
from bot.errors import UserError
from tests.training.tiny import FILLER, make_tiny_encoder
from training.export import export_bundle

TEXTS = [" ".join(FILLER[i % 10] for i in range(n)) for n in (1, 7, 40, 290)]


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random, with weights large enough for distances to matter."""
    path = make_tiny_encoder(tmp_path_factory.mktemp("mpnet"))
    torch.manual_seed(0)
    config = MPNetConfig(
        vocab_size=_pad_second(path / "tokenizer.json"),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=302,
        initializer_range=0.3,
        pad_token_id=1,
    )
    MPNetModel(config, add_pooling_layer=False).save_pretrained(path)
    return path


def _pad_second(path: Path) -> int:
    """Size of the vocabulary. MPNet counts positions over all tokens but the second, whatever it is."""
    told = json.loads(path.read_text())
    told["model"]["vocab"] |= {"[PAD]": 1, "[UNK]": 0}
    path.write_text(json.dumps(told))
    return len(told["model"]["vocab"])


def test_distances_fall_into_the_buckets_of_the_model() -> None:
    ahead = np.arange(-600, 601)
    meant = MPNetEncoder.relative_position_bucket(torch.as_tensor(ahead), num_buckets=32)
    assert (bucket_of(ahead, buckets=32) == meant.numpy()).all()


def test_the_bundle_says_what_torch_says(mpnet: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    _, parity = export_bundle(mpnet, tmp_path / "bundle", max_tokens=300)
    assert min(found.worst for found in parity) > 0.98
    model = SentenceTransformer(str(mpnet), device="cpu", local_files_only=True)
    model.max_seq_length = 300
    meant = model.encode(TEXTS, batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    served = Encoder.open(tmp_path / "bundle", backend="fp32").encode(TEXTS)
    assert np.allclose(served, meant, atol=1e-5)


def test_distances_matter(mpnet: Path, tmp_path: Path) -> None:
    """Or else the test above could not tell a wrong table from a right one."""
    flat = make_tiny_encoder(tmp_path / "flat")
    for name in ("config.json", "tokenizer.json"):
        (flat / name).write_bytes((mpnet / name).read_bytes())
    tensors = load_file(mpnet / "model.safetensors")
    save_file({**tensors, BIAS: tensors[BIAS] * 0}, flat / "model.safetensors")
    found = []
    for number, source in enumerate((mpnet, flat)):
        build_bundle(source, tmp_path / str(number), max_tokens=300)
        found.append(Encoder.open(tmp_path / str(number), backend="fp32").encode(TEXTS))
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_an_mpnet_without_its_biases_is_refused(mpnet: Path, tmp_path: Path) -> None:
    broken = make_tiny_encoder(tmp_path / "broken")
    (broken / "config.json").write_bytes((mpnet / "config.json").read_bytes())
    with pytest.raises(UserError, match="this is no MPNet"):
        build_bundle(broken, tmp_path / "bundle")

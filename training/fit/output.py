"""What a run leaves behind: the encoder as a sentence-transformers directory, and `done.json`, last.

A directory without `done.json` is not a result, whatever else is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from bot.classify.bundle import file_sha256
from bot.classify.seen import PROVENANCE, UNKNOWN, Provenance
from bot.errors import UserError
from training.fit.checkpoint import NotSaved, write_whole
from training.network import Encoder
from training.recipe import Recipe
from training.recipe_file import recipe_text

ENCODER, RECIPE, DONE, METRICS, CHECKPOINT = (
    "encoder",
    "recipe.json",
    "done.json",
    "metrics.jsonl",
    "checkpoint.safetensors",
)
TWIN = "twin"
"""Beside the encoder of a recipe with semi-supervised terms: the whole output of the one without."""
COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
"""Files of the base encoder that its texts are read with."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a run is a run of. Another recipe, snapshot or encoder is another run."""

    recipe: str
    snapshot: str
    base: str

    def as_dict(self) -> dict[str, str]:
        return {"recipe": self.recipe, "snapshot": self.snapshot, "base": self.base}


def identify(recipe: Recipe, *, snapshot: str, base: Path) -> Identity:
    return Identity(
        recipe=hashlib.sha256(recipe_text(recipe).encode()).hexdigest(),
        snapshot=snapshot,
        base=file_sha256(base / "model.safetensors", advice="the encoder to start from needs it"),
    )


def finished(out: Path, identity: Identity) -> bool:
    """Whether `out` holds the result of this run already; UserError if it holds another's."""
    path = out / DONE
    if not path.is_file():
        return False
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{path} cannot be read. Delete it to train again.") from None
    check_identity(told, identity, out=out)
    return True


def check_identity(told: Mapping[str, str], identity: Identity, *, out: Path) -> None:
    """UserError naming what differs."""
    other = [key for key, value in identity.as_dict().items() if told.get(key) != value]
    if other:
        raise UserError(
            f"{out} holds a run with another {' and another '.join(other)}. "
            "Give another --out, or delete the directory."
        )


def write_encoder(
    encoder: Encoder,
    out: Path,
    *,
    base: Path,
    max_tokens: int,
    provenance: Provenance = UNKNOWN,
) -> None:
    """Whole or not at all: written aside, then renamed. What `build_bundle` reads."""
    aside = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        (aside / "1_Pooling").mkdir(parents=True)
        encoder.backbone.config.save_pretrained(aside)
        save_file(_weights(encoder), aside / "model.safetensors", metadata={"format": "pt"})
        for name in COPIED:
            if (base / name).is_file():
                shutil.copy(base / name, aside / name)
        for name, content in _layout(encoder.dim, max_tokens).items():
            (aside / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        (aside / PROVENANCE).write_text(provenance.text(), encoding="utf-8")
        (aside / "README.md").write_text(_card(base), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        aside.rename(out)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise NotSaved(
            f"{out}: the encoder cannot be written ({error}). Make room, then start "
            "the same command again: it goes on from the last checkpoint."
        ) from error


def _weights(encoder: Encoder) -> dict[str, torch.Tensor]:
    state = encoder.backbone.state_dict()
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


def write_done(out: Path, identity: Identity, facts: Mapping[str, Any]) -> None:
    """The last file. With the hash of every file of the encoder."""
    files = {
        path.relative_to(out).as_posix(): file_sha256(path)
        for path in sorted((out / ENCODER).rglob("*"))
        if path.is_file()
    }
    told = {"identity": identity.as_dict(), **facts, "files": files}
    write_whole(out / DONE, (json.dumps(told, indent=1) + "\n").encode())


def _layout(dim: int, max_tokens: int) -> dict[str, Any]:
    kinds = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
    return {
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, path) in enumerate(kinds)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": dim,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": max_tokens, "do_lower_case": False},
    }


def _card(base: Path) -> str:
    """The licence goes with the weights."""
    card = base / "README.md"
    lines = card.read_text(encoding="utf-8").splitlines()[:60] if card.is_file() else []
    licence = next((line for line in lines if line.startswith("license:")), "license: unknown")
    return f"---\n{licence}\nlibrary_name: sentence-transformers\n---\nTuned by Labelwright on issues.\n"

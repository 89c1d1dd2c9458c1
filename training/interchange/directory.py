"""A SetFit directory becomes a bundle with its head beside it; such a bundle becomes a SetFit directory.

What comes in is read without running any of it. What goes out holds a pickle, for SetFit reads no other head.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bot.classify.bundle import file_sha256, publishing
from bot.errors import UserError
from training.export import Parity, export_bundle
from training.interchange.head import PlainHead, head_of
from training.interchange.imported import (
    ENCODER,
    HEAD,
    SETFIT,
    Imported,
    read_imported,
    write_facts,
)
from training.interchange.pickled import read_pickle

PICKLE, CONFIG = "model_head.pkl", "config_setfit.json"
WEIGHTS, PICKLED_WEIGHTS = "model.safetensors", "pytorch_model.bin"
KEPT = ("*.json", "*.txt", "README.md", WEIGHTS, "[0-9]_*/config.json")
"""Files of an encoder, none of which is code."""


def import_setfit(
    source: Path, out: Path, *, max_tokens: int | None = None
) -> tuple[Imported, tuple[Parity, ...]]:
    """The bundle of the SetFit model at `source`, at `out` whole or not at all.

    `max_tokens`: as many as the model reads if None.

    Raises:
        UserError: no SetFit model, a head that is not linear or asks for code, an encoder of another
            architecture, or graphs that disagree with torch.
    """
    config = _config(source)
    labels = tuple(str(x) for x in config["labels"]) if config.get("labels") else None
    normalize = bool(config.get("normalize_embeddings"))
    record = read_pickle(source / PICKLE)
    head = head_of(record, labels=labels, unit=normalize or _normalises(source))
    with publishing(out) as directory:
        kept = directory.parent / SETFIT  # beside: the bundle is published into an empty directory
        _keep_encoder(source, kept / ENCODER)
        limit = max_tokens or _max_tokens(kept / ENCODER)
        lineage = {"source": _name(source), "head_sha256": file_sha256(source / PICKLE)}
        bundle, parity = export_bundle(
            kept / ENCODER, directory, lineage=lineage, name=_name(source), max_tokens=limit
        )
        if head.weights.shape[1] != bundle.manifest.dim:
            raise UserError(
                f"{source}: the head reads {head.weights.shape[1]} numbers, the encoder gives "
                f"{bundle.manifest.dim}. They don't belong together."
            )
        (kept / HEAD).write_bytes(head.to_bytes())
        write_facts(kept, {"normalize_embeddings": normalize})
        kept.rename(directory / SETFIT)
    return read_imported(out), parity


def export_setfit(bundle: Path, out: Path) -> Path:
    """A directory that `setfit.SetFitModel.from_pretrained` loads, with the head as a pickle.

    Raises:
        UserError: the bundle was not imported from SetFit, or `out` holds something.
    """
    import joblib

    imported = read_imported(bundle)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} holds something; give another --out.")
    with publishing(out, what="a SetFit model") as directory:
        shutil.copytree(imported.encoder, directory, dirs_exist_ok=True)
        labels = list(imported.head.labels) if imported.head.labels is not None else None
        config = {"normalize_embeddings": imported.normalize, "labels": labels}
        (directory / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        joblib.dump(_classifier(imported.head), directory / PICKLE)
    return out


def _config(source: Path) -> dict[str, Any]:
    """Models of SetFit before 1.0 have none."""
    if not (source / PICKLE).is_file():
        raise UserError(
            f"{source}: no SetFit model there, {PICKLE} is missing. Give the directory that "
            "SetFitModel.save_pretrained wrote."
        )
    path = source / CONFIG
    found = _json(path) if path.is_file() else {}
    if not isinstance(found, dict) or not isinstance(found.get("labels") or [], list):
        raise UserError(f"{path} is no configuration of SetFit.")
    return found


def _normalises(source: Path) -> bool:
    modules = _json(source / "modules.json") if (source / "modules.json").is_file() else []
    kinds = [str(module.get("type", "")) for module in modules]
    for kind in kinds:
        if not kind.startswith("sentence_transformers."):
            raise UserError(
                f"{source / 'modules.json'} asks for {kind}, which is other people's code and is not run. "
                "Import a model of sentence-transformers' own modules."
            )
    return any(kind.endswith(".Normalize") for kind in kinds)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}).") from None


def _name(source: Path) -> str:
    """The hub's name where the path tells it (`models--owner--name/...`), else the folder's."""
    hub = [part for part in source.absolute().parts if part.startswith("models--")]
    named = hub[-1].removeprefix("models--").replace("--", "/") if hub else source.absolute().name
    return f"{named} (SetFit)"


def _keep_encoder(source: Path, out: Path) -> None:
    for pattern in KEPT:
        for path in source.glob(pattern):
            if path.name != CONFIG:
                kept = out / path.relative_to(source)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept)
    if not (out / WEIGHTS).is_file() and (source / PICKLED_WEIGHTS).is_file():
        _convert_weights(source / PICKLED_WEIGHTS, out / WEIGHTS)


def _convert_weights(pickled: Path, out: Path) -> None:
    """Through torch's reader that refuses code."""
    import torch
    from safetensors.torch import save_file

    try:
        found = torch.load(pickled, map_location="cpu", weights_only=True)
        weights = {name: tensor.contiguous().clone() for name, tensor in found.items()}
        save_file(weights, out, metadata={"format": "pt"})
    except Exception as error:  # a broken or hostile pickle may fail in any way
        raise UserError(
            f"{pickled}: not read, and nothing in it was run ({str(error).splitlines()[0]}). Save the "
            "encoder as safetensors."
        ) from None


def _max_tokens(encoder: Path) -> int:
    from sentence_transformers import SentenceTransformer  # heavy, needed here alone

    try:
        model = SentenceTransformer(str(encoder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{encoder.name}: sentence-transformers cannot open it ({reason})."
        ) from None
    return int(model.get_max_seq_length() or 512)


def _classifier(head: PlainHead) -> Any:
    """What SetFit itself would have pickled."""
    makers = {"logistic": _logistic, "one-vs-rest": _one_vs_rest, "multi-output": _multi_output}
    return _torch(head) if head.maker == "torch" else makers[head.maker](head)


def _logistic(head: PlainHead) -> Any:
    weights, intercepts = head.weights, head.intercepts
    if len(weights) == 2:
        weights, intercepts = weights[1:] - weights[:1], intercepts[1:] - intercepts[:1]
    return _fitted(weights, intercepts, classes=np.array(head.classes))


def _one_vs_rest(head: PlainHead) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import LabelBinarizer

    made = OneVsRestClassifier(LogisticRegression())
    made.estimators_ = _outputs(head)
    rows = np.vstack([np.zeros(len(head.classes), int), np.ones(len(head.classes), int)])
    made.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(rows)
    made.n_features_in_ = head.weights.shape[1]
    return made


def _multi_output(head: PlainHead) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multioutput import MultiOutputClassifier

    made = MultiOutputClassifier(LogisticRegression())
    made.estimators_ = _outputs(head)
    made.classes_ = [one.classes_ for one in made.estimators_]
    made.n_features_in_ = head.weights.shape[1]
    return made


def _torch(head: PlainHead) -> Any:
    import torch
    from setfit.modeling import SetFitHead

    count, size = head.weights.shape
    made = SetFitHead(size, count, eps=0.0, multitarget=not head.single, device="cpu")
    with torch.no_grad():
        made.linear.weight.copy_(torch.tensor(head.weights))
        made.linear.bias.copy_(torch.tensor(head.intercepts))
    return made


def _outputs(head: PlainHead) -> list[Any]:
    rows = zip(head.weights, head.intercepts, strict=True)
    return [_fitted(row[None], np.array([b]), classes=np.array([0, 1])) for row, b in rows]


def _fitted(weights: np.ndarray, intercepts: np.ndarray, *, classes: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression()
    made.coef_, made.intercept_, made.classes_ = weights, intercepts, classes
    made.n_features_in_, made.n_iter_ = weights.shape[1], np.array([0], dtype=np.int32)
    return made

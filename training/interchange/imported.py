"""What was imported lies beside the bundle, in `setfit/`: head, the encoder's own files, their hashes.

No pickle is kept. Refuses files that were changed or cut short.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.classify.bundle import Bundle, check_file, file_sha256, read_bundle
from bot.classify.encoder import Encoder
from bot.errors import UserError
from training.interchange.head import PlainHead, read_head

SETFIT, FACTS, HEAD, ENCODER = "setfit", "setfit.json", "head.safetensors", "encoder"
FORMAT = 1
ADVICE = "import the SetFit model again"


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle, and the SetFit model that it was."""

    bundle: Bundle
    head: PlainHead
    normalize: bool
    """The configuration's `normalize_embeddings`."""

    @property
    def encoder(self) -> Path:
        """A sentence-transformers directory."""
        return self.bundle.directory / SETFIT / ENCODER

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """What the head reads, [n, d]: the bundle's fp32 vectors; torch's, where their length counts."""
        if self.head.unit:
            encoder = Encoder.open(self.bundle.directory, backend="fp32")
            try:
                return encoder.encode(texts)
            finally:
                encoder.close()
        from sentence_transformers import SentenceTransformer  # heavy, needed here alone

        model = SentenceTransformer(str(self.encoder), device="cpu", local_files_only=True)
        return np.asarray(model.encode(list(texts), show_progress_bar=False))


def write_facts(directory: Path, facts: dict[str, Any]) -> None:
    """The last file of `setfit/`, with the hash of every other one."""
    files = {
        path.relative_to(directory).as_posix(): file_sha256(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    told = json.dumps({"format": FORMAT, **facts, "files": files}, indent=1)
    (directory / FACTS).write_text(told + "\n", encoding="utf-8")


def read_imported(bundle: Path) -> Imported:
    """The bundle in that directory with its SetFit head.

    Raises:
        UserError: no bundle, one that was not imported from SetFit, or files that were changed.
    """
    directory, found = bundle / SETFIT, read_bundle(bundle)
    if not (directory / FACTS).is_file():
        raise UserError(
            f"{bundle} is a bundle without a SetFit head: only what `labelwright-train import-setfit` made "
            "has one."
        )
    try:
        facts = json.loads((directory / FACTS).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise UserError(f"{directory / FACTS} is of another format; {ADVICE}.")
        normalize, files = bool(facts["normalize_embeddings"]), dict(facts["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{directory / FACTS} cannot be read ({error}); {ADVICE}.") from None
    for name, sha256 in files.items():
        check_file(directory / name, sha256, advice=ADVICE)
    return Imported(found, read_head(directory / HEAD), normalize)

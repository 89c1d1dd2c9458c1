"""A bundle: an encoder on disk. Reads, checks and publishes one; never runs it.

A bundle is a directory that is complete or absent: it is written aside, its manifest last, and then
renamed. A file whose hash differs from the manifest is refused.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bot.classify.seen import PROVENANCE, UNKNOWN, Provenance, read_provenance
from bot.errors import UserError

Backend = Literal["int8", "fp32"]

FORMAT = 1
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
GOLDEN = "golden.safetensors"
MODELS: Mapping[Backend, str] = {"int8": "model.int8.onnx", "fp32": "model.fp32.onnx"}
BUILD_ADVICE = "build it again with `labelwright models build`"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself."""

    name: str
    dim: int
    max_tokens: int
    """Texts are cut to this many tokens, [CLS] and [SEP] included."""
    text_version: int
    """`bot.core.text.TEXT_VERSION` that the bundle was built for."""
    files: Mapping[str, str]
    """File name -> sha256 of its bytes."""
    golden_texts: tuple[str, ...]
    """Texts whose vectors, per backend, are rows of `golden.safetensors`."""
    lineage: Mapping[str, str]
    """Where the weights come from: source, revision, sha256 of the weights."""
    licence: str
    format: int = FORMAT

    @property
    def bundle_id(self) -> str:
        """Twelve hex digits over what moves a vector (the graphs, the tokenizer, where texts are cut) and
        over what the encoder learned from, if that is known."""
        kept = {name: digest for name, digest in self.files.items() if name != GOLDEN}
        parts = [kept, self.max_tokens, self.text_version]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files were found as its manifest says."""

    directory: Path
    manifest: Manifest

    def model(self, backend: Backend) -> Path:
        return self.directory / MODELS[backend]

    @property
    def tokenizer(self) -> Path:
        return self.directory / TOKENIZER

    @property
    def golden(self) -> Path:
        return self.directory / GOLDEN

    @property
    def provenance(self) -> Provenance:
        """What its encoder learned from; nothing that is known where the manifest lists no such file."""
        listed = PROVENANCE in self.manifest.files
        return read_provenance(self.directory) if listed else UNKNOWN


def read_bundle(directory: Path, *, files: Collection[str] | None = None) -> Bundle:
    """The bundle in `directory`, with the hashes of `files` (all of them if None) checked, and that of its
    provenance if it has one.

    Raises:
        UserError: no bundle there, or a file is missing, cut short or changed.
    """
    manifest = _read_manifest(directory / MANIFEST)
    wanted = (*MODELS.values(), TOKENIZER, GOLDEN) if files is None else tuple(files)
    wanted += (PROVENANCE,) if PROVENANCE in manifest.files else ()
    for name in wanted:
        if name not in manifest.files:
            raise UserError(f"{directory / MANIFEST} does not list {name}; {BUILD_ADVICE}")
        check_file(directory / name, manifest.files[name], advice=BUILD_ADVICE)
    return Bundle(directory, manifest)


def check_file(path: Path, sha256: str, *, advice: str) -> None:
    """Raises UserError, with `advice`, unless the file's bytes have that sha256."""
    found = file_sha256(path, advice=advice)
    if found != sha256:
        raise UserError(
            f"{path} was changed or cut short: its sha256 is {found[:12]}..., not {sha256[:12]}...; {advice}"
        )


def file_sha256(path: Path, *, advice: str = BUILD_ADVICE) -> str:
    """Hex digest of a file's bytes; UserError with `advice` when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}); {advice}") from None


@contextmanager
def publishing(out: Path, *, what: str = "a bundle") -> Iterator[Path]:
    """A directory to write `what` into; it becomes `out` when the block ends well, else it goes.

    What was at `out` stays readable until then. Of two writers the last wins.
    """
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise UserError(f"Cannot write {what} to {out}: {error.strerror}") from None
    try:
        new = aside / "new"
        new.mkdir()
        yield new
        _swap(new, out, aside=aside, what=what)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_manifest(directory: Path, manifest: Manifest) -> Bundle:
    """Writes the manifest, which must be the last file of its bundle."""
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True, ensure_ascii=False)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return Bundle(directory, manifest)


def _swap(new: Path, out: Path, *, aside: Path, what: str) -> None:
    """A directory with files cannot be replaced in one step, so the old one moves aside first.

    Another writer may come between the two steps; then its bundle moves aside too.
    """
    if _holds_something_else(out):
        raise UserError(f"{out} holds something that is not {what}; choose another directory")
    for attempt in range(100):
        with suppress(FileNotFoundError):
            out.rename(aside / f"old-{attempt}")
        try:
            new.rename(out)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    raise UserError(f"{out} is being written by others all the time; choose another directory")


def _holds_something_else(out: Path) -> bool:
    """Whether a directory with files, but without a manifest, stands at `out`.

    Another writer may move what stands there aside, and empty it, while we look. So it is listed
    once, through a descriptor, and counts only if it still stands there afterwards.
    """
    try:
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return True
    try:
        names = os.listdir(descriptor)
        seen = os.fstat(descriptor)
        stays = os.path.samestat(seen, out.stat())
    except FileNotFoundError:
        return False
    finally:
        os.close(descriptor)
    return stays and bool(names) and MANIFEST not in names


def _read_manifest(path: Path) -> Manifest:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"No bundle at {path.parent}; build one with `labelwright models build`"
        ) from None
    except ValueError:
        raise UserError(f"{path} is not JSON; {BUILD_ADVICE}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(f"{path} is not a manifest of format {FORMAT}; {BUILD_ADVICE}")
    return _manifest(document, path)


def _manifest(document: dict[str, Any], path: Path) -> Manifest:
    try:
        texts = tuple(str(text) for text in document.pop("golden_texts"))
        return Manifest(golden_texts=texts, **document)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} lacks or does not know a key ({error}); {BUILD_ADVICE}") from None

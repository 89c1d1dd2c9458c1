"""A checkpoint: one safetensors file that is there whole or not at all. Never a pickle.

A tree of dicts, lists, numbers, text and tensors goes in and comes out; the tensors lie flat in the
file, the rest is JSON in its header. Refuses a file that was cut short.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open

from bot.errors import GiveUp, UserError

Tree: TypeAlias = Any
"""dict, list, str, int, float, bool, None or tensor, as deep as you like."""

TENSOR = "tensor"
"""The one key of a dict that stands for a tensor in the JSON."""
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""As safetensors calls them, https://github.com/huggingface/safetensors#format"""


class NotSaved(GiveUp):
    """Nothing was written, what was there before still is."""


def write_checkpoint(path: Path, tree: Tree) -> None:
    """Raises NotSaved if the disk is full or refuses; then the file before stays as it was."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_without_tensors(tree, tensors, "t"))
    _write_whole(path, _safetensors(tensors, {"tree": text}))


def read_checkpoint(path: Path) -> Tree:
    """What `write_checkpoint` was given, tensors on the CPU."""
    try:
        with safe_open(path, framework="pt") as stream:
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
            text = stream.metadata()["tree"]
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no checkpoint of ours or was cut short ({error}). Delete it to begin anew."
        ) from None
    return _with_tensors(json.loads(text), tensors)


def write_whole(path: Path, content: bytes) -> None:
    """All at once, and on the disk when this returns.

    Raises:
        NotSaved: the disk is full, or the folder cannot be written.
    """
    _write_whole(path, [content])


def _write_whole(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with unfinished.open("wb") as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
        _settle(path.parent)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise NotSaved(
            f"{path}: cannot be written ({error.strerror}). Make room or give another place, then start the "
            "same command again: it goes on from the last checkpoint."
        ) from error


def _safetensors(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """The file of the tensors, part by part: at no time is a second one of them all in memory. The widest
    numbers come first, so that each tensor lies as its numbers ask."""
    ordered = sorted(tensors, key=lambda name: -tensors[name].element_size())
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in ordered:
        tensor, start = tensors[name], end
        end += tensor.nbytes
        header[name] = {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in ordered:
        plain = tensors[name].detach().cpu().contiguous()
        flat = plain.as_strided((plain.numel(),), (1,))  # that of one number may be any
        yield flat.view(torch.uint8).numpy().data


def _settle(directory: Path) -> None:
    """The name itself must reach the disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_tensors(tree: Tree, tensors: dict[str, torch.Tensor], at: str) -> Tree:
    if isinstance(tree, torch.Tensor):
        tensors[at] = tree
        return {TENSOR: at}
    if isinstance(tree, dict):
        return {str(key): _without_tensors(tree[key], tensors, f"{at}/{key}") for key in tree}
    if isinstance(tree, list | tuple):
        return [_without_tensors(x, tensors, f"{at}/{i}") for i, x in enumerate(tree)]
    return tree


def _with_tensors(tree: Tree, tensors: dict[str, torch.Tensor]) -> Tree:
    if isinstance(tree, list):
        return [_with_tensors(x, tensors) for x in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {TENSOR}:
        return tensors[tree[TENSOR]]
    return {key: _with_tensors(value, tensors) for key, value in tree.items()}

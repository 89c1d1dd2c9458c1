"""Reads a pickled classifier without running it: each class that it names becomes an inert `Record`.

A pickle is a program whose every instruction may call what it can name. Here it can name nothing but the
constructors below, which keep values and do nothing else; any other name is refused. No class of
scikit-learn or torch is imported, so that old versions are read as well.
"""

from __future__ import annotations

import io
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from bot.errors import UserError

MOST_BYTES = 512 * 2**20
"""A classifier over sentence vectors is a thousandth of that."""
PLAIN_TYPE = re.compile(r"[biuf][1248]|b1|U\d{1,6}|S\d{1,6}")


class Record:
    """What stands for an object: the arguments it was to be called with, and its attributes."""

    arguments: tuple[Any, ...]
    attributes: dict[str, Any]

    def __new__(cls, *arguments: Any) -> Record:
        made = super().__new__(cls)
        made.arguments, made.attributes = arguments, {}
        return made

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"{type(self).__name__} with a state that is no dict")
        self.attributes = state


class DType(Record):
    """numpy.dtype: numbers and text of fixed width, or objects (`O`)."""

    order: Literal["<", ">"] = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = ">" if state[1] == ">" else "<"

    def numpy(self) -> np.dtype[Any] | None:
        """None for objects."""
        name = str(self.arguments[0])
        if name.startswith("O"):
            return None
        if not PLAIN_TYPE.fullmatch(name):
            raise pickle.UnpicklingError(f"arrays of {name[:20]!r}")
        return np.dtype(name).newbyteorder(self.order)


class Array(Record):
    """An array; `value` once its state was read."""

    value: np.ndarray


class PlainArray(Array):
    """As numpy pickles it: (version, shape, type, whether Fortran order, bytes or list)."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        kind = dtype.numpy()
        flat = np.array(content, dtype=object) if kind is None else np.frombuffer(content, kind)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


class Reader(pickle._Unpickler):
    """Python's own unpickler, with our constructors for all that can be named."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self.stream = stream
        self.joblib_array = type("JoblibArray", (JoblibArray,), {"stream": stream})

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return self.joblib_array
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


class JoblibArray(Array):
    """As joblib writes it: the bytes lie in the stream, right behind the array's description."""

    stream: BinaryIO

    def __setstate__(self, state: Any) -> None:
        kind = state["dtype"].numpy()
        if kind is None:
            self.value = Reader(self.stream).load().value
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        shape = tuple(int(size) for size in state["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(self.stream.read(count * kind.itemsize), kind, count)
        self.value = flat.reshape(shape, order="F" if state["order"] == "F" else "C")


def _scalar(dtype: DType, content: bytes) -> Any:
    kind = dtype.numpy()
    if kind is None:
        raise pickle.UnpicklingError("a scalar of objects")
    return np.frombuffer(content, kind, 1)[0].item()


def _parameter(tensor: Record, *_: Any) -> Record:
    return tensor


class Storage(Record):
    """torch's own bytes, still packed."""


class Tensor(Record):
    """(storage, offset, size, stride, ...)."""


def _inert(*names: str) -> dict[tuple[str, str], Any]:
    parts = [name.rpartition(".") for name in names]
    return {(module, name): type(name, (Record,), {}) for module, _, name in parts}


ALLOWED: dict[tuple[str, str], Any] = {
    **_inert(
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.linear_model.logistic.LogisticRegression",
        "sklearn.multiclass.OneVsRestClassifier",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.multioutput.MultiOutputClassifier",
        "sklearn.multioutput.ClassifierChain",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing.label.LabelBinarizer",
        "setfit.modeling.SetFitHead",
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.linear.Identity",
        "torch.device",
        "numpy.ndarray",
    ),
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("numpy", "dtype"): DType,
    ("torch.storage", "_load_from_bytes"): Storage,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{
        (f"numpy.{core}.multiarray", name): made
        for core in ("core", "_core")
        for name, made in (("_reconstruct", PlainArray), ("scalar", _scalar))
    },
}


def read_pickle(path: Path) -> Record:
    """The object in the file, as records.

    Raises:
        UserError: there is no such file, it is no pickle, or it names something that a classifier does
            not need. Nothing of it was run.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    if size > MOST_BYTES:
        raise UserError(f"{path}: {size / 1e6:,.0f} MB is no head of a SetFit model.")
    try:
        found = Reader(io.BytesIO(content)).load()
    except Exception as error:  # a broken or hostile stream may fail in any way
        raise UserError(
            f"{path}: not read, and nothing in it was run: {error or type(error).__name__}. Heads are "
            "LogisticRegression, alone or in OneVsRestClassifier or MultiOutputClassifier, and SetFitHead."
        ) from None
    if not isinstance(found, Record):
        raise UserError(f"{path}: holds {type(found).__name__}, not a classifier.")
    return found

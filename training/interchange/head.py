"""A SetFit model's head as plain numbers: weights, intercepts, names. Kept as safetensors with JSON.

Refuses heads that are no linear function of the vector: classifier chains, more than two classes an output.
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.special import expit, softmax

from bot.errors import UserError
from training.interchange.pickled import Array, Record, Tensor

Floats64: TypeAlias = NDArray[np.float64]
Maker = Literal["logistic", "one-vs-rest", "multi-output", "torch"]
Linear: TypeAlias = tuple[Floats64, Floats64]
"""Weights [L, d] and intercepts [L]."""

FORMAT = 1
CERTAIN = 1000.0
"""Intercept of a label that every training example agreed on: its probability is 0 or 1 exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainHead:
    """Scores vectors [n, d] for its classes."""

    weights: Floats64
    intercepts: Floats64
    maker: Maker
    """What it was, and is again when it is exported."""
    single: bool
    """One class an issue: softmax, arg-max. Else each label is its own question, from one half on."""
    classes: tuple[int | str, ...]
    """What it was trained to answer."""
    labels: tuple[str, ...] | None
    """The names that the model's configuration gives to the classes 0, 1, ..."""
    unit: bool
    """It reads vectors of length one, as the bundle makes them."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        named = dict(enumerate(self.labels or ()))
        return tuple(str(named.get(x, x) if isinstance(x, int) else x) for x in self.classes)

    def probabilities(self, vectors: NDArray[Any]) -> Floats64:
        """[n, L]; of a single-label head the rows sum to one."""
        logits = vectors.astype(np.float64) @ self.weights.T + self.intercepts
        return np.asarray(softmax(logits, axis=1) if self.single else expit(logits))

    def decide(self, vectors: NDArray[Any]) -> list[tuple[str, ...]]:
        """The labels that SetFit's `predict` gives."""
        found = self.probabilities(vectors)
        if self.single:
            return [(self.names[best],) for best in found.argmax(axis=1)]
        return [tuple(self.names[j] for j in np.flatnonzero(row > 0.5)) for row in found]

    def to_bytes(self) -> bytes:
        facts = {key: value for key, value in asdict(self).items() if key not in TENSORS}
        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in TENSORS}
        return bytes(save(tensors, metadata={"head": json.dumps({"format": FORMAT, **facts})}))


TENSORS = ("weights", "intercepts")


def read_head(path: Path) -> PlainHead:
    """UserError if the file is no head of a format this code reads."""
    try:
        stored = path.read_bytes()
        tensors = load(stored)
        header = json.loads(stored[8 : 8 + int.from_bytes(stored[:8], "little")])
        facts = json.loads(header["__metadata__"]["head"])
        if facts.pop("format") != FORMAT:
            raise UserError(f"{path}: a head of another format; import the SetFit model again.")
        labels = tuple(facts.pop("labels")) if facts["labels"] is not None else facts.pop("labels")
        classes = tuple(facts.pop("classes"))
        return PlainHead(
            **{name: tensors[name] for name in TENSORS}, labels=labels, classes=classes, **facts
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a head ({error}); import the SetFit model again.") from None


def head_of(record: Record, *, labels: tuple[str, ...] | None, unit: bool) -> PlainHead:
    """The head that was read from a pickle.

    Raises:
        UserError: it is not linear, was not fitted, or doesn't fit the configuration's labels.
    """
    kind = type(record).__name__
    try:
        maker, (weights, intercepts), single, classes = READERS[kind](record)
    except KeyError as error:
        known = ", ".join(READERS)
        what = f"{kind} is not among {known}" if kind not in READERS else f"{kind} without {error}"
        raise UserError(
            f"This head cannot be imported: {what}. Train it again as one of those."
        ) from None
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"This head cannot be imported: {kind}, {error}.") from None
    numbered = [x for x in classes if isinstance(x, int)]
    if labels is not None and numbered and max(numbered) >= len(labels):
        raise UserError(
            f"The head answers {max(numbered) + 1} classes, the configuration names {len(labels)}."
        )
    return PlainHead(
        weights=weights,
        intercepts=intercepts,
        maker=maker,
        single=single,
        classes=classes,
        labels=labels,
        unit=unit,
    )


Found: TypeAlias = tuple[Maker, Linear, bool, tuple[int | str, ...]]


def _logistic(record: Record) -> Found:
    """Of two classes it keeps one row; the other one's weights are zero."""
    told = record.attributes
    weights, intercepts = _array(told["coef_"]), _array(told["intercept_"])
    classes = tuple(_plain_class(x) for x in told["classes_"].value.tolist())
    rest = told.get("multi_class") == "ovr" or told.get("solver") == "liblinear"
    if len(classes) > 2 and rest:
        raise ValueError("one class against the rest, which scikit-learn gave up; fit it anew")
    if len(classes) == 2:
        weights = np.vstack([np.zeros_like(weights), weights])
        intercepts = np.concatenate([np.zeros(1), intercepts])
    return "logistic", _checked(weights, intercepts, len(classes)), True, classes


def _one_vs_rest(record: Record) -> Found:
    kind = record.attributes["label_binarizer_"].attributes.get("y_type_")
    if kind != "multilabel-indicator":
        raise ValueError(f"one-vs-rest over {kind} data, where rows of 0 and 1 are understood")
    return _outputs(record, "one-vs-rest")


def _multi_output(record: Record) -> Found:
    return _outputs(record, "multi-output")


def _outputs(record: Record, maker: Maker) -> Found:
    rows = [_output(one) for one in record.attributes["estimators_"]]
    size = max(len(row) for row, _ in rows)
    weights = np.vstack([row if len(row) else np.zeros(size) for row, _ in rows])
    intercepts = np.array([intercept for _, intercept in rows])
    linear = _checked(weights, intercepts, len(rows))
    return maker, linear, False, tuple(range(len(rows)))


def _output(one: Record) -> tuple[Floats64, float]:
    """The row of one label; empty for one that is always or never set."""
    told = one.attributes
    if type(one).__name__ == "_ConstantPredictor":
        return np.zeros(0), CERTAIN if _array(told["y_"]).ravel()[0] else -CERTAIN
    weights = _array(told["coef_"])
    if len(weights) != 1 or told["classes_"].value.tolist() not in (
        [0, 1],
        [0.0, 1.0],
        [False, True],
    ):
        raise ValueError("an output with other classes than 0 and 1")
    return weights[0], float(np.ravel(_array(told["intercept_"]))[0])


def _torch(record: Record) -> Found:
    """SetFitHead divides its logits by a temperature; it is one after this."""
    told = record.attributes
    parameters = told["_modules"]["linear"].attributes["_parameters"]
    scale = float(told["temperature"]) + float(told["eps"])
    weights = _tensor(parameters["weight"]) / scale
    bias = parameters.get("bias")
    intercepts = _tensor(bias) / scale if bias is not None else np.zeros(len(weights))
    linear = _checked(weights, intercepts, len(weights))
    return "torch", linear, not told["multitarget"], tuple(range(len(weights)))


READERS = {
    "LogisticRegression": _logistic,
    "OneVsRestClassifier": _one_vs_rest,
    "MultiOutputClassifier": _multi_output,
    "SetFitHead": _torch,
}


def _array(found: Array) -> Floats64:
    return np.asarray(found.value, dtype=np.float64)


def _tensor(found: Tensor) -> Floats64:
    """torch's own reader that refuses code unpacks the bytes."""
    import torch

    storage, offset, size, stride = found.arguments[:4]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # storages with a type are deprecated, and what old files hold
        flat = torch.load(io.BytesIO(storage.arguments[0]), map_location="cpu", weights_only=True)
        values = np.array(flat.tolist(), dtype=np.float64)
    if tuple(stride) != ((size[1], 1) if len(size) == 2 else (1,)):
        raise ValueError("weights that don't lie row by row")
    return values[offset : offset + int(np.prod(size))].reshape(size)


def _checked(weights: Floats64, intercepts: Floats64, count: int) -> Linear:
    if weights.ndim != 2 or weights.shape[0] != count or intercepts.shape != (count,):
        raise ValueError(
            f"weights {weights.shape} and intercepts {intercepts.shape} of {count} classes"
        )
    if not (np.isfinite(weights).all() and np.isfinite(intercepts).all()):
        raise ValueError("numbers that are not finite; its training broke")
    return weights, intercepts


def _plain_class(value: Any) -> int | str:
    if isinstance(value, str):
        return value
    if int(value) != value:
        raise ValueError(f"a class {value!r}")
    return int(value)

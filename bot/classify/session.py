"""Opens a graph and a tokenizer the one way in which we run them, when building and when serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from bot.errors import UserError

REACH = 6
"""Characters looked at first, per token that may be kept: prose and code fill their tokens within six,
and nothing pays for a body of 64 KB to keep 128 tokens of it."""
FARTHER = 8
"""Times as far at the next look, where that was not enough."""


def open_session(model: Path | bytes) -> Any:
    """An ONNX Runtime session on one thread of the caller; run() may be called from many at once.

    Raises:
        UserError: the runtime cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Basic keeps LayerNormalization apart; the fusions worth having are already in the graph.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # the runtime's exceptions share no public base
        reason = str(error).splitlines()[0]
        raise UserError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load {model!s:.200}: {reason}"
        ) from error


def open_tokenizer(path: Path, *, max_tokens: int) -> Tokenizer:
    """The tokenizer, cutting at `max_tokens` and never padding, whatever its file says.

    Raises:
        UserError: the file is no tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise UserError(f"{path} is not a tokenizer ({error}); download the model again") from None
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def token_ids(tokenizer: Tokenizer, text: str, *, max_tokens: int) -> np.ndarray:
    """int64 [1, tokens]; an empty text still has its special tokens."""
    reach = max_tokens * REACH
    while True:
        start = _whole_words(text, reach)
        ids = tokenizer.encode(start).ids
        if len(ids) >= max_tokens or len(start) == len(text):
            break
        reach *= FARTHER
    return np.array([ids], dtype=np.int64)


def _whole_words(text: str, reach: int) -> str:
    """The start of a text, cut between words, so that no token of it is other than in the whole."""
    if len(text) <= reach:
        return text
    return text[: max(text.rfind(" ", 0, reach), text.rfind("\n", 0, reach), 0)]

"""Texts to serve: anyone's issues from a file, or ours, pieced together from the bundle's samples."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np

from bot.classify.samples import SAMPLES


def issue_texts(path: Path | None, count: int) -> list[str]:
    """Texts of issue length: from a file, spread over it, or pieced together from our samples."""
    if path is None:
        return made_texts(count, median=900, spread=1.0)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    step = max(1, len(rows) // count)
    return [f"{row['title'] or ''}\n\n{row['body'] or ''}" for row in rows[::step][:count]]


def full_texts(path: Path | None, count: int) -> list[str]:
    """Texts that are cut at the limit, whoever reads them."""
    if path is None:
        return made_texts(count, median=4000, spread=0.1)
    texts = issue_texts(path, count * 4)
    return [(text + "\n") * (1 + 6000 // (len(text) + 1)) for text in texts[:count]]


def made_texts(count: int, *, median: float, spread: float) -> list[str]:
    """Shuffled paragraphs of our samples, up to lengths that are log-normal, as those of issues are."""
    draw = random.Random(5)
    pieces = [piece for sample in SAMPLES for piece in sample.split("\n\n")]
    texts = []
    for _ in range(count):
        length = median * float(np.exp(draw.gauss(0, spread)))
        text = ""
        while len(text) < length:
            text += draw.choice(pieces) + "\n\n"
        texts.append(text[: int(length)])
    return texts

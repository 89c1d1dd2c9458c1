"""A preview from its past to its report: encode once, replay, sum up, write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.classify.encoder import Encoder
from bot.classify.sides import author_marks
from bot.classify.words import count_words
from bot.preview.ledger import keep_ledger
from bot.preview.page import render
from bot.preview.past import Past
from bot.preview.record import PastRecord
from bot.preview.report import Report, draw_up
from bot.preview.rewind import Decided, Refit, RefitPolicy, Scene, fit_at, rewind, texts_of
from bot.preview.targets import TARGETS
from bot.preview.vectors import KeptVectors

Say = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it is, of how much."""


@dataclass(frozen=True, slots=True)
class Written:
    """Where the report lies."""

    page: Path
    figures: Path
    rules: Path


def preview(
    past: Past,
    encoder: Encoder,
    *,
    cache: Path,
    say: Say,
    promise: float | None = None,
    seconds: float = 600.0,
) -> Report:
    """Replay a past and report. `cache`: folder for vectors. `promise`: the precision that the figures are
    about; the one that fits if not given. `seconds` bounds the refits."""
    total = len(past.issues)
    kept = KeptVectors(encoder, cache)
    texts = texts_of(past.issues)
    joined = [text.joined for text in texts]
    filed = np.array([issue.created_at.timestamp() for issue in past.issues], dtype=np.float64)
    scene = Scene(
        issues=past.issues,
        texts=texts,
        vectors=kept.encode(joined, told=lambda done: say("encoding", done, total)),
        encode=kept.encode,
        rules=past.rules,
        descriptions=past.descriptions,
        existing=past.existing,
        counts=count_words(texts, extra=author_marks([issue.association for issue in past.issues])),
        seen=encoder.provenance.rows(past.full_name, filed, dated=past.dated),
    )
    record = PastRecord(past.issues, settling=past.settling, until=past.now, rules=past.rules)
    targets = sorted({*TARGETS, *([promise] if promise else [])}, reverse=True)
    policy = RefitPolicy.for_size(total, seconds=seconds)
    stream: list[Decided] = []
    for decided in rewind(scene, record, targets=targets, policy=policy):
        stream.append(decided)
        say("replaying", len(stream), total)
    today = fit_at(scene, record, past.now, rows=total, targets=targets)
    ledger = keep_ledger(past, scene, record, stream, targets)
    return draw_up(past, ledger, refits=_refits(stream), today=today, promise=promise)


def write(report: Report, out: Path) -> Written:
    """`preview.html`, `preview.json` and `labelwright.yml` in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    written = Written(out / "preview.html", out / "preview.json", out / "labelwright.yml")
    _replace(written.page, render(report))
    _replace(written.figures, json.dumps(report.as_dict(), indent=1) + "\n")
    _replace(written.rules, report.rules)
    return written


def _refits(stream: Sequence[Decided]) -> list[Refit]:
    return list({d.refit.number: d.refit for d in stream if d.refit is not None}.values())


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    os.replace(part, path)

"""What a bundle shows on a snapshot: heads fitted on its vectors by the bot's own code, decisions by its rules.

Refuses bundles made for another issue text. Nothing of the evaluation part is learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bot.classify.bundle import BUILD_ADVICE, Backend
from bot.classify.encoder import Encoder
from bot.classify.head import Head, Learned, learn
from bot.classify.history import History
from bot.classify.promise import winners
from bot.classify.seen import Provenance
from bot.core.decide import decide
from bot.core.label_text import label_text
from bot.core.rules import Rules
from bot.core.text import TEXT_VERSION
from bot.core.types import Score
from bot.errors import UserError
from training.judge.judged import Bools, Judged
from training.judge.redraw import covered
from training.snapshot.read import RepositoryData, Snapshot, SnapshotIssue

OnProgress = Callable[[str, int, int], None]
"""Called with (what is being done, issues done, issues in all)."""
EMBED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Showing:
    """One contender on one repository: its evaluation part, which past corrections it honours, how many
    labelled issues it had that its encoder did not learn from, of how many, and labels with a cut by them."""

    judged: Judged
    honoured: Bools
    unseen: int
    labelled: int
    promised: int


def open_bundle(directory: Path, *, backend: Backend, threads: int = 1) -> Encoder:
    """The encoder of a bundle made for this issue text; UserError otherwise."""
    encoder = Encoder.open(directory, backend=backend, threads=threads)
    if encoder.text_version == TEXT_VERSION:
        return encoder
    encoder.close()
    raise UserError(
        f"{directory} is for issue texts of version {encoder.text_version}, this is version "
        f"{TEXT_VERSION}; {BUILD_ADVICE}"
    )


def show(
    name: str,
    snapshot: Snapshot,
    encoder: Encoder,
    *,
    zero_shot: bool = False,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Showing]]:
    """What an encoder's heads say, per repository; with `zero_shot`, also what they say without any
    example."""
    shown: list[dict[str, Showing]] = [{}, {}] if zero_shot else [{}]
    for data in snapshot.repositories:
        if not data.specs or not (data.facts.window or data.corrections):
            continue
        report = partial(on_progress, f"{name}: {data.name}") if on_progress else None
        vectors = _embed(data.issues, encoder, report)
        of_labels = encoder.encode([label_text(spec) for spec in data.specs])
        taught = data.take("train", "unlabelled")
        for found, past in zip(shown, (taught, data.take()), strict=False):
            history = history_of(
                past, vectors, dim=of_labels.shape[1], provenance=encoder.provenance
            )
            learned = _learn(past, history, of_labels)
            found[data.name] = _showing(data, learned, history, vectors)
    return shown


def _embed(
    issues: Sequence[SnapshotIssue], encoder: Encoder, report: Callable[[int, int], None] | None
) -> dict[int, Any]:
    """Id -> vector."""
    found: dict[int, Any] = {}
    for start in range(0, len(issues), EMBED_AT_ONCE):
        part = issues[start : start + EMBED_AT_ONCE]
        vectors = encoder.encode([issue.text.joined for issue in part])
        found.update(zip((issue.id for issue in part), vectors, strict=True))
        if report is not None:
            report(len(found), len(issues))
    return found


def _learn(past: RepositoryData, history: History, label_vectors: Any) -> Learned:
    return learn(
        history,
        past.specs,
        label_vectors=label_vectors,
        exclusive=past.facts.exclusive,
        families=past.families,
    )


def history_of(
    data: RepositoryData,
    vectors: Mapping[int, Any],
    *,
    dim: int,
    provenance: Provenance,
) -> History:
    """Issues of a snapshot as the bot's heads are taught; order stands for time where there is none.
    `provenance`: of the encoder that made the vectors."""
    dated = data.facts.ordered_by == "time"
    filed = [
        issue.created_at.timestamp() if dated and issue.created_at else float(position)
        for position, issue in enumerate(data.issues)
    ]
    times = np.array(filed, dtype=np.float64)
    rows = [vectors[issue.id] for issue in data.issues]
    return History(
        texts=[issue.text for issue in data.issues],
        vectors=np.array(rows, dtype=np.float32).reshape(len(rows), dim),
        known=data.known,
        times=times,
        associations=[issue.author_association for issue in data.issues],
        weights=np.where(data.known != 0, data.weights, 1).astype(np.float32),
        unbiased=np.array([issue.unbiased for issue in data.issues], dtype=np.bool_),
        seen=provenance.rows(data.name, times, dated=dated),
    )


def _showing(
    data: RepositoryData, learned: Learned, history: History, vectors: Mapping[int, Any]
) -> Showing:
    judged, head = data.take("evaluate"), learned.head(data.facts.target)
    scores = _score(judged.issues, head, vectors)
    p = np.array([[score.probability for score in row] for row in scores]).reshape(
        len(scores), len(head.labels)
    )
    by_id = {issue.id: issue for issue in data.issues}
    corrected = [by_id[one.issue] for one in data.corrections]
    acted = _applied(_score(corrected, head, vectors), head)
    offered = winners(p, head.labels, head.exclusive)
    return Showing(
        Judged(
            labels=head.labels,
            known=judged.known,
            probabilities=p,
            offered=offered,
            applied=_applied(scores, head),
            covered=covered(learned, p, offered, target=head.target),
            target=data.facts.target,
        ),
        honoured=_honoured(data, acted, head.labels),
        unseen=int(history.judges.sum()),
        labelled=int(history.witnesses.sum()),
        promised=sum(cut.apply_at is not None for cut in head.cuts),
    )


def _score(
    issues: Sequence[SnapshotIssue], head: Head, vectors: Mapping[int, Any]
) -> list[list[Score]]:
    if not issues:
        return []
    return head.score(
        [issue.text for issue in issues],
        np.array([vectors[issue.id] for issue in issues], dtype=np.float32),
        [issue.author_association for issue in issues],
    )


def _applied(scores: Sequence[Sequence[Score]], head: Head) -> Bools:
    """[n, L]: what would be applied to a new issue with these scores."""
    decided = [
        decide(
            row,
            rules=Rules(precision=head.target),
            exclusive=head.exclusive,
            present=(),
            removed_by_human=(),
            available=head.labels,
        )
        for row in scores
    ]
    found = [[decision.action == "apply" for decision in row] for row in decided]
    return np.array(found, dtype=np.bool_).reshape(len(found), len(head.labels))


def _honoured(data: RepositoryData, applied: Bools, labels: Sequence[str]) -> Bools:
    """[corrections]: what was removed would not be applied, what was added would."""
    column = {label: j for j, label in enumerate(labels)}
    found = [
        not (one.removed in column and row[column[one.removed]])
        and not (one.added in column and not row[column[one.added]])
        for one, row in zip(data.corrections, applied, strict=True)
    ]
    return np.array(found, dtype=np.bool_)

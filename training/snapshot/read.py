"""A snapshot: an immutable, hashed data set, the only input of training. Reads and checks one.

Refuses files that were changed or cut short, formats and text versions it does not know, and data that
nothing can be learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.classify.bundle import MANIFEST, check_file
from bot.core.evidence import KnownPairs
from bot.core.types import IssueText, LabelSpec
from bot.errors import UserError
from training.snapshot.manifest import ADVICE, Manifest, RepositoryFacts, read_manifest
from training.snapshot.tables import Schema, read_table

Part: TypeAlias = Literal["train", "evaluate", "unlabelled"]
"""`unlabelled`: older than the evaluation part, nothing known of its labels; text to learn from."""
PARTS: tuple[Part, ...] = ("train", "evaluate", "unlabelled")
Provenance: TypeAlias = Literal["human", "form", "bot", "us", "history"]
"""Who a pair's value comes from; `history`: the issue has the label and nobody knows who set it."""

ISSUES, LABELS, PAIRS, CORRECTIONS = (
    f"{name}.parquet" for name in ("issues", "labels", "pairs", "corrections")
)
SCHEMAS: Mapping[str, Schema] = {
    ISSUES: {
        "id": "int64",
        "repo": "string",
        "number": "int64",
        "title": "string",
        "body": "string",
        "as_filed": "bool_",
        "unbiased": "bool_",
        "created_at": "time",
        "author_association": "string",
        "part": "string",
        "group": "int64",
    },
    LABELS: {
        "repo": "string",
        "label": "string",
        "description": "string",
        "family": "string",
        "learnable": "bool_",
    },
    PAIRS: {
        "issue": "int64",
        "label": "string",
        "value": "int8",
        "provenance": "string",
        "weight": "float32",
    },
    CORRECTIONS: {
        "issue": "int64",
        "kind": "string",
        "removed": "string",
        "added": "string",
        "weight": "float32",
        "at": "time",
    },
}


@dataclass(frozen=True, slots=True)
class SnapshotIssue:
    """An issue. Ids count from 0; within a repository they are in the order of filing."""

    id: int
    repo: str
    number: int
    text: IssueText
    as_filed: bool
    unbiased: bool
    """We could not have shaped its labels."""
    created_at: datetime | None
    author_association: str
    part: Part
    group: int
    """Id of the first issue that has nearly the same text."""


@dataclass(frozen=True, slots=True)
class SnapshotCorrection:
    """A human's answer to a decision of ours on issue `issue` of the snapshot."""

    issue: int
    kind: str
    removed: str | None
    added: str | None
    weight: float
    at: datetime


@dataclass(frozen=True, slots=True)
class RepositoryData:
    """One repository as arrays over its issues [n] and learnable labels [L]."""

    facts: RepositoryFacts
    issues: tuple[SnapshotIssue, ...]
    specs: tuple[LabelSpec, ...]
    families: Mapping[str, str]
    known: KnownPairs
    """[n, L]: +1, -1, 0."""
    weights: NDArray[np.float32]
    """[n, L]: how much a known pair counts; 0 where nothing is known."""
    corrections: tuple[SnapshotCorrection, ...]

    @property
    def name(self) -> str:
        return self.facts.name

    def take(self, *parts: Part) -> RepositoryData:
        """Its issues of these parts; corrections stay whole."""
        rows = np.array([issue.part in parts for issue in self.issues], dtype=np.bool_)
        kept = tuple(issue for issue in self.issues if issue.part in parts)
        return replace(self, issues=kept, known=self.known[rows], weights=self.weights[rows])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose files were found as its manifest says."""

    directory: Path
    manifest: Manifest
    repositories: tuple[RepositoryData, ...]

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def issues(self) -> tuple[SnapshotIssue, ...]:
        return tuple(issue for data in self.repositories for issue in data.issues)

    def repository(self, name: str) -> RepositoryData:
        """KeyError for one that is not in the snapshot."""
        return {data.name: data for data in self.repositories}[name]


def read_snapshot(directory: Path) -> Snapshot:
    """The snapshot in `directory`, every hash checked.

    Raises:
        UserError: no snapshot there, a file is missing, cut short or changed, its format or text
            version is unknown, or there is nothing in it to learn from.
    """
    manifest = check_files(directory)
    tables = {name: read_table(directory / name, SCHEMAS[name], advice=ADVICE) for name in SCHEMAS}
    snapshot = Snapshot(directory, manifest, assemble(manifest.repositories, tables))
    check_learnable(snapshot.repositories, where=str(directory))
    return snapshot


def check_files(directory: Path) -> Manifest:
    """The manifest of a snapshot whose files are all there and as they were; UserError as `read_snapshot`.
    What is in them is not looked at."""
    manifest = read_manifest(directory)
    for name in SCHEMAS:
        if name not in manifest.files:
            raise UserError(f"{directory / MANIFEST} does not list {name}; {ADVICE}")
        check_file(directory / name, manifest.files[name], advice=ADVICE)
    return manifest


def assemble(
    facts: tuple[RepositoryFacts, ...], tables: Mapping[str, Mapping[str, list[Any]]]
) -> tuple[RepositoryData, ...]:
    """Columns of the four tables -> one value per repository. KeyError for a pair of no issue."""
    issues = _by_repository(tables[ISSUES])
    labels = _rows(tables[LABELS])
    corrections = [SnapshotCorrection(**row) for row in _rows(tables[CORRECTIONS])]
    pairs = tables[PAIRS]
    of_issue = {issue.id: name for name, found in issues.items() for issue in found}
    at: dict[str, list[int]] = {}
    for position, issue in enumerate(pairs["issue"]):
        at.setdefault(of_issue[issue], []).append(position)
    return tuple(
        _repository(
            fact,
            tuple(issues.get(fact.name, ())),
            [row for row in labels if row["repo"] == fact.name],
            {name: [column[i] for i in at.get(fact.name, ())] for name, column in pairs.items()},
            tuple(c for c in corrections if of_issue[c.issue] == fact.name),
        )
        for fact in facts
    )


def check_learnable(repositories: tuple[RepositoryData, ...], *, where: str) -> None:
    """UserError unless somewhere two issues of the training part tell a label's yes from its no."""
    taught = [data.take("train") for data in repositories]
    if not any((data.known > 0).any() for data in taught):
        raise UserError(
            f"{where}: no issue to train on has a label that a human set; process labels such as stale "
            "do not count. Give labelled issues, or wait until more of them have settled."
        )
    if sum(len(data.issues) for data in taught) < 2:
        raise UserError(f"{where}: one issue is not enough to learn from. Give more issues.")
    if not any(((d.known > 0).any(axis=0) & (d.known < 0).any(axis=0)).any() for d in taught):
        raise UserError(
            f"{where}: one class leaves nothing to tell apart. Give issues with at least two labels of "
            "the same kind in one repository."
        )


def _repository(
    facts: RepositoryFacts,
    issues: tuple[SnapshotIssue, ...],
    labels: list[dict[str, Any]],
    pairs: Mapping[str, list[Any]],
    corrections: tuple[SnapshotCorrection, ...],
) -> RepositoryData:
    learned = [row for row in labels if row["learnable"]]
    column = {row["label"]: j for j, row in enumerate(learned)}
    row_of = {issue.id: i for i, issue in enumerate(issues)}
    known = np.zeros((len(issues), len(learned)), dtype=np.int8)
    weights = np.zeros(known.shape, dtype=np.float32)
    at = [row_of[i] for i in pairs["issue"]], [column[label] for label in pairs["label"]]
    known[at] = pairs["value"]
    weights[at] = pairs["weight"]
    return RepositoryData(
        facts=facts,
        issues=issues,
        specs=tuple(LabelSpec(row["label"], row["description"]) for row in learned),
        families={row["label"]: row["family"] for row in learned},
        known=known,
        weights=weights,
        corrections=corrections,
    )


def _by_repository(columns: Mapping[str, list[Any]]) -> dict[str, list[SnapshotIssue]]:
    found: dict[str, list[SnapshotIssue]] = {}
    for row in _rows(columns):
        text = IssueText(row.pop("title"), row.pop("body"))
        found.setdefault(row["repo"], []).append(SnapshotIssue(text=text, **row))
    return found


def _rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]

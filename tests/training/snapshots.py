"""A small snapshot on disk, made from made-up issues, as `labelwright-train snapshot` lays it out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.classify.bundle import MANIFEST, file_sha256
from bot.core.text import TEXT_VERSION
from training.snapshot.manifest import Manifest, RepositoryFacts, snapshot_id
from training.snapshot.read import CORRECTIONS, ISSUES, LABELS, PAIRS, SCHEMAS
from training.snapshot.tables import write_table

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def make_snapshot(
    path: Path,
    labelled: Sequence[Mapping[str, Any]],
    *,
    unlabelled: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Each labelled issue has one label of its repository's family `type`; the others are a no."""
    path.mkdir(parents=True)
    filed = [(row, "train") for row in labelled] + [(row, "unlabelled") for row in unlabelled]
    repos = sorted({row["repo"] for row, _ in filed})
    filed.sort(key=lambda one: repos.index(one[0]["repo"]))
    used = {repo: _labels(labelled, repo) for repo in repos}
    tables = {
        ISSUES: [_issue(i, row, part) for i, (row, part) in enumerate(filed)],
        LABELS: [_label(repo, label) for repo in repos for label in used[repo]],
        PAIRS: [
            pair
            for i, (row, part) in enumerate(filed)
            if part == "train"
            for pair in _pairs(i, row, used[row["repo"]])
        ],
        CORRECTIONS: [],
    }
    for name, rows in tables.items():
        write_table(path / name, rows, SCHEMAS[name])
    write_manifest(path, tuple(_facts(repo, filed) for repo in repos))
    return path


def write_manifest(path: Path, facts: tuple[RepositoryFacts, ...]) -> None:
    files = {name: file_sha256(path / name) for name in SCHEMAS}
    manifest = Manifest(
        id=snapshot_id(files, TEXT_VERSION, facts),
        text_version=TEXT_VERSION,
        files=files,
        repositories=facts,
        counts={},
        provenance={},
        time_range=(BEGIN, BEGIN),
        left_out={},
        sources={},
        settings={},
        cut_at=BEGIN,
    )
    told = json.dumps(manifest.as_dict(), default=datetime.isoformat)
    (path / MANIFEST).write_text(told, encoding="utf-8")


def _labels(rows: Sequence[Mapping[str, Any]], repo: str) -> list[str]:
    return sorted({label for row in rows if row["repo"] == repo for label in row["labels"]})


def _issue(number: int, row: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {
        "id": number,
        "repo": row["repo"],
        "number": number,
        "title": row["title"],
        "body": row["body"],
        "as_filed": True,
        "unbiased": False,
        "created_at": BEGIN + timedelta(hours=number),
        "author_association": "NONE",
        "part": part,
        "group": number,
    }


def _label(repo: str, label: str) -> dict[str, Any]:
    told = {"description": f"About {label}", "family": "type", "learnable": True}
    return {"repo": repo, "label": label, **told}


def _pairs(number: int, row: Mapping[str, Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "issue": number,
            "label": label,
            "value": 1 if label in row["labels"] else -1,
            "provenance": "human",
            "weight": 1.0,
        }
        for label in labels
    ]


def _facts(repo: str, filed: Sequence[tuple[Mapping[str, Any], str]]) -> RepositoryFacts:
    counts: dict[str, int] = {}
    for row, part in filed:
        if row["repo"] == repo:
            counts[part] = counts.get(part, 0) + 1
    return RepositoryFacts(
        name=repo,
        source="store",
        target=0.9,
        exclusive=(),
        ordered_by="time",
        counts=counts,
        window=None,
    )

"""From repositories as found to rows of a snapshot: parts given, near-duplicates on one side.

Pure. What got no part leaves no row, only a count with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np

from bot.core.evidence import KnownPairs
from training.snapshot.gathered import Gathered, names_of, pairs_of
from training.snapshot.manifest import RepositoryFacts, Window
from training.snapshot.near_duplicates import group_texts
from training.snapshot.parts import Evidence, assign_parts, leave_out_repeats
from training.snapshot.read import CORRECTIONS, ISSUES, LABELS, PAIRS, PARTS, SCHEMAS

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Placed:
    """A repository whose issues [n] have a part each, or a reason why they have none, and the number of
    the group of near-duplicates they belong to."""

    gathered: Gathered
    known: KnownPairs
    parts: Sequence[str]
    groups: Sequence[int]


def place(
    found: Sequence[Gathered], *, share: float, least: int, used: Mapping[str, datetime]
) -> list[Placed]:
    """Every issue's part. `used`: repository -> the newest issue that a run has seen."""
    known = [gathered.known() for gathered in found]
    parts = [
        assign_parts(_evidence(gathered, rows, used), share=share, least=least)
        for gathered, rows in zip(found, known, strict=True)
    ]
    groups = group_texts([issue.text for gathered in found for issue in gathered.issues])
    final = leave_out_repeats(list(chain(*parts)), groups)
    ends = np.cumsum([len(gathered.issues) for gathered in found]).tolist()
    return [
        Placed(gathered, rows, final[end - len(rows) : end], groups[end - len(rows) : end])
        for gathered, rows, end in zip(found, known, ends, strict=True)
    ]


def _evidence(gathered: Gathered, known: KnownPairs, used: Mapping[str, datetime]) -> Evidence:
    end = used.get(gathered.name)
    return Evidence(
        informed=(known != 0).any(axis=1),
        settled=np.array([issue.settled for issue in gathered.issues]),
        unbiased=np.array([issue.unbiased for issue in gathered.issues]),
        fresh=np.array(
            [
                end is None or (issue.created_at is not None and issue.created_at > end)
                for issue in gathered.issues
            ]
        ),
    )


def tables_of(placed: Sequence[Placed]) -> dict[str, Rows]:
    """The rows of each file of the snapshot; a near-duplicate's group is the id of the first of them."""
    tables: dict[str, Rows] = {name: [] for name in SCHEMAS}
    for part in placed:
        ids = _add_issues(tables, part)
        _add_labels(tables, part.gathered)
        _add_corrections(tables, part.gathered, ids)
    first: dict[int, int] = {}
    for row in tables[ISSUES]:
        row["group"] = first.setdefault(row["group"], row["id"])
    return tables


def _add_issues(tables: dict[str, Rows], place: Placed) -> dict[int, int]:
    """Adds the issues that have a part, and their pairs; position in the repository -> id."""
    ids: dict[int, int] = {}
    names = [label.name for label in place.gathered.learnable]
    for position, issue in enumerate(place.gathered.issues):
        if place.parts[position] not in PARTS:
            continue
        ids[position] = len(tables[ISSUES])
        row = {
            "id": ids[position],
            "repo": place.gathered.name,
            "number": issue.number,
            "title": issue.text.title,
            "body": issue.text.body,
            "as_filed": issue.as_filed,
            "unbiased": issue.unbiased,
            "created_at": issue.created_at,
            "author_association": issue.author_association,
            "part": place.parts[position],
            "group": place.groups[position],
        }
        tables[ISSUES].append(row)
        for label, value, provenance, weight in pairs_of(issue, names, place.known[position]):
            tables[PAIRS].append(
                {
                    "issue": ids[position],
                    "label": label,
                    "value": value,
                    "provenance": provenance,
                    "weight": weight,
                }
            )
    return ids


def _add_labels(tables: dict[str, Rows], gathered: Gathered) -> None:
    families = gathered.families
    tables[LABELS] += [
        {
            "repo": gathered.name,
            "label": label.name,
            "description": label.description,
            "family": families.get(label.name, ""),
            "learnable": label.name in families,
        }
        for label in gathered.labels
    ]


def _add_corrections(tables: dict[str, Rows], gathered: Gathered, ids: Mapping[int, int]) -> None:
    position = names_of(gathered)
    for answer in gathered.corrections:
        place = position.get(answer.store_id, -1)
        if place in ids:
            tables[CORRECTIONS].append(
                {
                    "issue": ids[place],
                    "kind": answer.kind,
                    "removed": answer.removed,
                    "added": answer.added,
                    "weight": answer.weight,
                    "at": answer.at,
                }
            )


def facts_of(place: Placed) -> RepositoryFacts:
    """What the manifest says of a repository."""
    gathered = place.gathered
    filed = [
        (part, issue.created_at)
        for issue, part in zip(gathered.issues, place.parts, strict=True)
        if part in PARTS
    ]
    times = [at for part, at in filed if at is not None and part == "evaluate"]
    judged = any(part == "evaluate" for part, _ in filed)
    counts = Counter(part for part, _ in filed)
    return RepositoryFacts(
        name=gathered.name,
        source=gathered.source,
        target=gathered.rules.precision,
        exclusive=gathered.exclusive,
        ordered_by=gathered.ordered_by,
        counts=dict(sorted(counts.items())),
        window=Window(min(times, default=None), max(times, default=None)) if judged else None,
        newest=max((at for _, at in filed if at is not None), default=None),
    )

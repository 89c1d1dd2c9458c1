"""The newest issues of the training part, kept from the encoder so that its heads have some it never saw.

Refuses to tell issues apart that bear no time: nobody could say later which of them were kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.snapshot.read import RepositoryData, Snapshot


def hold_back(snapshot: Snapshot, most: int) -> Snapshot:
    """The snapshot for a fit: without the newest `most` of each repository's labelled training issues, at most
    half of them, and without what was filed since the first of those. The evaluation part stays as it is."""
    kept = tuple(_older(data, most) for data in snapshot.repositories)
    return replace(snapshot, repositories=kept)


def _older(data: RepositoryData, most: int) -> RepositoryData:
    told = [i for i, issue in enumerate(data.issues) if issue.part == "train"]
    newest = told[len(told) - min(most, len(told) // 2) :]
    if not newest or data.facts.ordered_by != "time":
        return data
    rows = [i for i, x in enumerate(data.issues) if i < newest[0] or x.part == "evaluate"]
    at = np.array(rows, dtype=np.int64)
    issues = tuple(data.issues[i] for i in rows)
    return replace(data, issues=issues, known=data.known[at], weights=data.weights[at])

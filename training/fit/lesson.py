"""A snapshot as the fit reads it: the labelled issues to learn from, and the pool without labels.

The evaluation part is never looked at, not even its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs
from bot.core.label_text import label_text
from bot.core.types import IssueText, LabelSpec
from bot.errors import UserError
from training.data import FiledIssue
from training.objectives import Pool
from training.snapshot.read import RepositoryData, Snapshot
from training.task import Bools, LabelSpace, Task

Number = TypeVar("Number", np.int8, np.float32)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a run learns from."""

    task: Task
    weights: NDArray[np.float32]
    """[n, L]: how much a known pair counts."""
    label_texts: tuple[str, ...]
    """[L]: name and description."""
    pool: Pool

    @property
    def texts(self) -> list[IssueText]:
        """Of all issues, labelled or not."""
        return [*(issue.text for issue in self.task.issues), *self.pool.texts]


def make_lesson(snapshot: Snapshot) -> Lesson:
    """Labels of the same name share a column; a repository without that label leaves it unknown.

    Raises:
        UserError: fewer than two labels were ever given, or fewer than two issues bear one.
    """
    repositories = [data.take("train", "unlabelled") for data in snapshot.repositories]
    labels = _taught(repositories)
    if len(labels) < 2:
        found = f"only {labels[0]!r}" if labels else "none"
        raise UserError(
            f"{snapshot.directory}: two labels that humans gave are needed to train on, there is "
            f"{found}. Wait for more labelled issues, or cut the snapshot from more repositories."
        )
    known = np.vstack([_columns(data, data.known, labels) for data in repositories])
    weights = np.vstack([_columns(data, data.weights, labels) for data in repositories])
    issues = [issue for data in repositories for issue in data.issues]
    repo = np.concatenate([np.full(len(d.issues), i) for i, d in enumerate(repositories)])
    told = np.flatnonzero((known != 0).any(axis=1) & [issue.part == "train" for issue in issues])
    if len(told) < 2:
        raise UserError(
            f"{snapshot.directory}: one labelled issue is not enough to train on. Give more issues."
        )
    untold = np.setdiff1d(np.arange(len(issues)), told)
    space = _space(repositories, labels)
    exclusive = _exclusive(known[told], space.allowed(repo[told]))
    filed = [FiledIssue(repo=issues[i].repo, text=issues[i].text, labels=frozenset()) for i in told]
    return Lesson(
        task=Task(replace(space, single=exclusive), tuple(filed), known[told], repo[told]),
        weights=weights[told],
        label_texts=_label_texts(repositories, labels),
        pool=Pool(tuple(issues[i].text for i in untold), repo[untold], space.allowed(repo[untold])),
    )


def _taught(repositories: Sequence[RepositoryData]) -> tuple[str, ...]:
    """Labels that a human gave to an issue to train on, somewhere."""
    names: set[str] = set()
    for data in repositories:
        given = np.flatnonzero((data.take("train").known > 0).any(axis=0))
        names |= {data.specs[j].name for j in given}
    return tuple(sorted(names))


def _space(repositories: Sequence[RepositoryData], labels: tuple[str, ...]) -> LabelSpace:
    siblings = tuple(
        frozenset(spec.name for spec in data.specs) & frozenset(labels) for data in repositories
    )
    return LabelSpace(labels, tuple(data.name for data in repositories), siblings, single=False)


def _columns(
    data: RepositoryData, values: NDArray[Number], labels: Sequence[str]
) -> NDArray[Number]:
    """[n, L] of the repository's own labels -> [n, L] of all; zero for those it does not have."""
    spread = np.zeros((len(values), len(labels)), dtype=values.dtype)
    for own, spec in enumerate(data.specs):
        if spec.name in labels:
            spread[:, labels.index(spec.name)] = values[:, own]
    return spread


def _exclusive(known: KnownPairs, allowed: Bools) -> bool:
    """Each issue has one label of its repository, and is known not to have the others."""
    return bool(((known > 0).sum(axis=1) == 1).all() and ((known != 0) == allowed).all())


def _label_texts(repositories: Sequence[RepositoryData], labels: Sequence[str]) -> tuple[str, ...]:
    """Where repositories describe a label in different words, the longest description tells most."""
    found: dict[str, LabelSpec] = {}
    for spec in (spec for data in repositories for spec in data.specs):
        if len(spec.description) >= len(found.get(spec.name, spec).description):
            found[spec.name] = spec
    return tuple(label_text(found[name]) for name in labels)

"""What is to be learned: labels, the repositories that use them, and the known pairs of issues.

Refuses a task that nothing can be learned from: no labels, one class, a label that nobody gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs, known_pairs
from bot.core.rules import Rules, learnable
from bot.errors import UserError
from training.data import FiledIssue

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float32]

_RULES = Rules()

MIN_COUNT = 20
MIN_SHARE = 0.02
"""A label of a multi-label file is learned if so many issues carry it, or this share of them and at
least three, if nothing else is asked."""


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """Labels, and which repository uses which."""

    labels: tuple[str, ...]
    repos: tuple[str, ...]
    siblings: tuple[frozenset[str], ...]
    """Per repository, the labels that speak for their family: learned ones and too rare ones."""
    single: bool
    """Each issue has exactly one label: arg-max, softmax. Otherwise each label is its own question."""

    def repo_index(self, issues: Sequence[FiledIssue]) -> Ints:
        """[n]; -1 for a repository that was not trained on."""
        index = {repo: i for i, repo in enumerate(self.repos)}
        return np.array([index.get(issue.repo, -1) for issue in issues], dtype=np.int64)

    def allowed(self, repo: Ints) -> Bools:
        """[n, L]: labels that the issue's repository uses; all of them for a new repository."""
        used = [[label in names for label in self.labels] for names in self.siblings]
        return np.array([*used, [True] * len(self.labels)])[repo]

    def known(self, issues: Sequence[FiledIssue]) -> KnownPairs:
        """[n, L]: +1, -1, 0. A label that the repository does not use is unknown."""
        known = np.zeros((len(issues), len(self.labels)), dtype=np.int8)
        repo = self.repo_index(issues)
        for index in np.unique(repo).tolist():
            rows = np.flatnonzero(repo == index).tolist()
            names = sorted(self.siblings[index] if index >= 0 else self.labels)
            families = dict.fromkeys(names, "") if self.single else None
            pairs = known_pairs([issues[i].labels for i in rows], names, families=families)
            for j, label in enumerate(self.labels):
                if label in names:
                    known[rows, j] = pairs[:, names.index(label)]
        return known

    def closed_world(self, issues: Sequence[FiledIssue]) -> KnownPairs:
        """[n, L]: of issues with a label, every label that is not set is a no."""
        repo, learned = self.repo_index(issues), frozenset(self.labels)
        labelled = np.array(
            [
                bool(issue.labels & (learned | (self.siblings[i] if i >= 0 else learned)))
                for issue, i in zip(issues, repo, strict=True)
            ]
        )
        carried = self.carried(issues)
        told = (self.allowed(repo) & labelled[:, None]) | carried
        return np.where(told, np.where(carried, 1, -1), 0).astype(np.int8)

    def carried(self, issues: Sequence[FiledIssue]) -> Bools:
        """[n, L]: which labels are set."""
        return np.array([[label in issue.labels for label in self.labels] for issue in issues])


@dataclass(frozen=True, slots=True)
class Task:
    """A label space with the issues to learn it from."""

    space: LabelSpace
    issues: tuple[FiledIssue, ...]
    known: KnownPairs
    repo: Ints
    """Index of each issue's repository in the space."""

    def take(self, rows: Sequence[int] | Ints) -> Task:
        return replace(
            self,
            issues=tuple(self.issues[i] for i in rows),
            known=self.known[rows],
            repo=self.repo[rows],
        )

    def only(self, repo: str) -> Task:
        """The part of one repository, with the labels that it uses."""
        index = self.space.repos.index(repo)
        columns = np.flatnonzero(self.space.allowed(np.array([index]))[0])
        labels = tuple(self.space.labels[j] for j in columns)
        space = LabelSpace(labels, (repo,), (self.space.siblings[index],), self.space.single)
        rows = np.flatnonzero(self.repo == index)
        issues = tuple(self.issues[i] for i in rows)
        return Task(space, issues, self.known[np.ix_(rows, columns)], np.zeros_like(rows))

    def strata(self) -> list[str]:
        """What a split should keep in proportion: repository and rarest label of each issue."""
        counts = (self.known > 0).sum(axis=0)
        rarest = [
            min(np.flatnonzero(row > 0), key=lambda j: counts[j], default=-1) for row in self.known
        ]
        return [f"{repo}/{label}" for repo, label in zip(self.repo, rarest, strict=True)]


def make_task(
    issues: Sequence[FiledIssue], *, labels: Sequence[str] = (), min_count: int | None = None
) -> Task:
    """The task that a file sets: the labels asked for, or all that at least `min_count` issues carry."""
    labelled = [(issue, _learnable(issue, labels)) for issue in issues]
    labelled = [(issue, names) for issue, names in labelled if names]
    if not labelled:
        raise UserError(
            "No issue of the training file has a label that can be learned (process labels such as "
            "stale or needs-triage are left out unless --labels names them). Give labelled issues."
        )
    single = all(len(names) == 1 for _, names in labelled)
    least = min_count if min_count is not None else _usual_count(len(labelled), single=single)
    counts = Counter(name for _, names in labelled for name in names)
    chosen = _choose(counts, labels, least)
    wanted = frozenset(chosen)
    if single:
        labelled = [(issue, names) for issue, names in labelled if names & wanted]
    repos = tuple(sorted({issue.repo for issue, names in labelled if names & wanted}))
    siblings = tuple(
        frozenset(x for issue, names in labelled if issue.repo == repo for x in names)
        for repo in repos
    )
    space = LabelSpace(chosen, repos, siblings, single)
    kept = tuple(issue for issue, _ in labelled if issue.repo in repos)
    known = space.known(kept)
    told = np.flatnonzero((known != 0).any(axis=1))
    return Task(space, kept, known, space.repo_index(kept)).take(told)


def draw_shots(task: Task, shots: int, *, seed: int) -> Task:
    """`shots` issues per label and repository, fewer where there are fewer.

    Multi-label, rarest label first: an issue drawn for one label counts for all its labels, so that
    frequent labels may get more.
    """
    rng = np.random.default_rng(seed)
    drawn: set[int] = set()
    for repo in range(len(task.space.repos)):
        rows = rng.permutation(np.flatnonzero(task.repo == repo))
        positive = task.known[rows] > 0
        for label in np.argsort(positive.sum(axis=0), kind="stable"):
            have = sum(int(i) in drawn for i in rows[positive[:, label]])
            fresh = [int(i) for i in rows[positive[:, label]] if int(i) not in drawn]
            drawn.update(fresh[: max(shots - have, 0)])
    return task.take(sorted(drawn))


def _learnable(issue: FiledIssue, asked: Sequence[str]) -> frozenset[str]:
    return frozenset(x for x in issue.labels if x in asked or learnable(x, _RULES))


def _usual_count(issues: int, *, single: bool) -> int:
    return 2 if single else max(3, min(MIN_COUNT, round(MIN_SHARE * issues)))


def _choose(counts: Counter[str], asked: Sequence[str], min_count: int) -> tuple[str, ...]:
    for label in asked:
        if label not in counts:
            near = get_close_matches(label, counts, n=1) or [counts.most_common(1)[0][0]]
            raise UserError(
                f"No issue of the training file has the label {label!r}. Did you mean {near[0]!r}?"
            )
    chosen = tuple(dict.fromkeys(asked)) or tuple(
        sorted(label for label, count in counts.items() if count >= min_count)
    )
    if len(chosen) > 1:
        return chosen
    if asked:
        raise UserError(
            f"One class, {asked[0]!r}, leaves nothing to tell apart. Name at least two labels."
        )
    often = ", ".join(f"{name} {count}" for name, count in counts.most_common(3))
    raise UserError(
        f"Of the training file's labels, {len(chosen)} are carried by at least {min_count} issues; "
        f"two are needed. Give more issues or a lower --min-count (most frequent: {often})."
    )

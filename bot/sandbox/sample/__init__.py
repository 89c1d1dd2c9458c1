"""The issues of `harbor-lane/tidemark`, a project that does not exist, to install the App on.

Every text was written for this sample. Refuses nothing: the files ship with the package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

FULL_NAME = "harbor-lane/tidemark"


@dataclass(frozen=True, slots=True)
class SampleLabel:
    """A label with what its maintainers say it means."""

    name: str
    description: str
    color: str


@dataclass(frozen=True, slots=True)
class SampleIssue:
    """An issue as it stands after its maintainers were done with it."""

    number: int
    title: str
    body: str
    labels: tuple[str, ...]
    created_at: datetime
    closed_at: datetime | None
    author: str
    author_association: str

    @property
    def state(self) -> str:
        return "open" if self.closed_at is None else "closed"


@dataclass(frozen=True, slots=True)
class Sample:
    """A repository: its labels, and its issues oldest first."""

    full_name: str
    labels: tuple[SampleLabel, ...]
    issues: tuple[SampleIssue, ...]


def load_sample() -> Sample:
    """Read the sample from the package."""
    labels = tuple(SampleLabel(**row) for row in json.loads(_read("labels.json")))
    issues = (_issue(json.loads(line)) for line in _read("issues.jsonl").splitlines())
    return Sample(FULL_NAME, labels, tuple(sorted(issues, key=lambda issue: issue.created_at)))


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _issue(row: dict[str, Any]) -> SampleIssue:
    closed_at: str | None = row["closed_at"]
    return SampleIssue(
        number=row["number"],
        title=row["title"],
        body=row["body"],
        labels=tuple(row["labels"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        closed_at=None if closed_at is None else datetime.fromisoformat(closed_at),
        author=row["author"],
        author_association=row["author_association"],
    )

"""Pasts to install the App on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.sandbox.sample import SampleIssue, load_sample
from bot.sandbox.server import SandboxServer


def seed(sandbox: SandboxServer, full_name: str, issue: SampleIssue, **more: Any) -> int:
    """An issue of the past; `more` overrules what the sample says of it."""
    told: Mapping[str, Any] = {
        "title": issue.title,
        "body": issue.body,
        "labels": issue.labels,
        "created_at": issue.created_at,
        "closed_at": issue.closed_at,
        "author": issue.author,
        "association": issue.author_association,
        **more,
    }
    return sandbox.seed_issue(full_name, **told)


def sample_issues(count: int) -> list[SampleIssue]:
    """The oldest issues of the sample."""
    return list(load_sample().issues[:count])


def plain_history(count: int, *, label: str = "bug") -> list[SampleIssue]:
    """Issues a year old, an hour apart, each with one label."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=365)
    return [
        SampleIssue(
            number=n,
            title=f"Crash number {n}",
            body=f"It stops with code {n} when I save.",
            labels=(label,),
            created_at=start + timedelta(hours=n),
            closed_at=None,
            author="reporter",
            author_association="NONE",
        )
        for n in range(1, count + 1)
    ]

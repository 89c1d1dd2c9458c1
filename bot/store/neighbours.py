"""The nearest issues of the same repository that people gave a label: the examples behind a decision.

Never looks into another repository nor at issues that teach nothing, and takes no label for a person's
that a bot or a form set.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.core.evidence import NOT_TEACHING

_NEAREST = text(
    """
    WITH asked AS (
        SELECT i.id, i.repository_id, v.embedding
        FROM issues i JOIN vectors v ON v.issue_id = i.id
        WHERE i.id = :issue
          AND v.bundle = :bundle AND v.backend = :backend AND v.text_version = :text_version
    )
    SELECT i.number, 1 - (v.embedding <=> asked.embedding) AS similarity
    FROM asked
    JOIN issues i ON i.repository_id = asked.repository_id AND i.id <> asked.id
    JOIN vectors v ON v.issue_id = i.id
    WHERE v.bundle = :bundle AND v.backend = :backend AND v.text_version = :text_version
      AND i.labels @> ARRAY[:label ::text]
      AND NOT i.is_pull_request AND NOT i.state = ANY(:gone)
      AND coalesce((
          SELECT e.actor_kind = 'human' AND e.added
          FROM label_events e
          WHERE e.issue_id = i.id AND e.label = :label
          ORDER BY e.at DESC, e.github_id DESC, e.id DESC
          LIMIT 1
      ), true)
    ORDER BY v.embedding <=> asked.embedding, i.number
    LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An issue like another one; `similarity` is the cosine of their vectors."""

    number: int
    similarity: float


def nearest_labelled(
    session: Session,
    issue_id: int,
    label: str,
    *,
    bundle: str,
    backend: str,
    text_version: int,
    most: int = 3,
) -> list[Neighbour]:
    """Issues that bear the label by a human's last word (or from before we knew who set it), nearest first."""
    key = {"bundle": bundle, "backend": backend, "text_version": text_version}
    asked = {"issue": issue_id, "label": label, "most": most, "gone": list(NOT_TEACHING)}
    rows = session.execute(_NEAREST, {**asked, **key})
    return [Neighbour(row.number, float(row.similarity)) for row in rows]

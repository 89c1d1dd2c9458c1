"""From a repository's stored history to the head that serves it: embed, fit, expect, activate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bot.classify.head import Head, fit_head
from bot.classify.history import History
from bot.core.evidence import KnownPairs, by_people, known_row, teaches
from bot.core.families import families_of, infer_exclusive
from bot.core.label_text import label_text
from bot.core.provenance import discount_bulk
from bot.core.rules import Rules, learnable, parse_rules
from bot.core.text import issue_text
from bot.core.types import IssueText, LabelEvent, LabelSpec
from bot.jobs.context import Context
from bot.jobs.served import served
from bot.store import heads, issues, label_events, labels, repositories, vectors
from bot.store.issues import StoredIssue

log = logging.getLogger(__name__)

EMBED_AT_ONCE = 64
"""Issues embedded between two commits, so that a stop loses little."""


@dataclass(frozen=True)
class Past:
    """What the store holds of a repository: issues oldest first, and who labelled them."""

    full_name: str
    issues: Sequence[StoredIssue]
    events: Mapping[int, Sequence[LabelEvent]]
    specs: Sequence[LabelSpec]
    rules: Rules

    @property
    def names(self) -> list[str]:
        return [spec.name for spec in self.specs]

    def human_labels(self, issue: StoredIssue) -> set[str]:
        """Labels that nobody but a human is known to have set last."""
        return by_people(issue.labels, self.events.get(issue.id, ()))


def learn_repository(context: Context, *, repository_id: int, reason: str) -> str:
    """Fit, store and activate the head of a repository from everything known of it."""
    past = _read_past(context, repository_id)
    if not past.specs:
        with context.database.session() as session:
            repositories.set_status(session, repository_id, "ready")
        return f"{past.full_name} has no label to learn ({reason})"
    exclusive = infer_exclusive(
        [past.human_labels(issue) for issue in past.issues], past.names, past.rules
    )
    texts = [issue_text(issue.title, issue.body) for issue in past.issues]
    history = History(
        texts=texts,
        vectors=_embed(context, past.issues, texts),
        known=_known(past, exclusive, settling=timedelta(days=context.settling_days)),
        times=np.array([issue.created_at.timestamp() for issue in past.issues], dtype=np.float64),
        associations=[issue.author_association for issue in past.issues],
    )
    head = fit_head(
        history,
        past.specs,
        label_vectors=context.encoder.encode([label_text(spec) for spec in past.specs]),
        exclusive=exclusive,
        target=past.rules.precision,
    )
    _activate(context, repository_id, head, reason=reason)
    counts = f"{len(past.specs)} labels from {len(past.issues)} issues"
    return f"learned {counts} of {past.full_name} ({reason})"


def _read_past(context: Context, repository_id: int) -> Past:
    with context.database.session() as session:
        row = served(session, repository_id)
        rules = parse_rules(row.rules_text or "")
        specs = [
            LabelSpec(label.name, rules.of_label(label.name).description or label.description)
            for label in labels.active(session, repository_id)
            if learnable(label.name, rules)
        ]
        return Past(
            full_name=row.full_name,
            issues=[
                issue
                for issue in issues.history(session, repository_id)
                if teaches(issue.state, is_pull_request=issue.is_pull_request)
            ],
            events=discount_bulk(label_events.of_repository(session, repository_id)),
            specs=specs,
            rules=rules,
        )


def _known(past: Past, exclusive: Sequence[Sequence[str]], *, settling: timedelta) -> KnownPairs:
    settled_before = datetime.now(UTC) - settling
    families = {
        name: past.rules.family_of(name) or family
        for name, family in families_of(past.names).items()
    }
    rows = [
        known_row(
            past.names,
            current=issue.labels,
            events=past.events.get(issue.id, ()),
            families=families,
            exclusive=exclusive,
            settled=issue.created_at < settled_before,
        )
        for issue in past.issues
    ]
    return np.array(rows, dtype=np.int8).reshape(len(rows), len(past.names))


def _embed(
    context: Context, found: Sequence[StoredIssue], texts: Sequence[IssueText]
) -> NDArray[np.float32]:
    """Vectors [issues, dim] of the encoder that serves; only the missing ones are computed."""
    matrix = np.zeros((len(found), context.encoder.dim), dtype=np.float32)
    with context.database.session() as session:
        kept = vectors.load(session, [issue.id for issue in found], **context.vector_key)
    for row, issue in enumerate(found):
        matrix[row] = kept.get(issue.id, 0.0)
    missing = [row for row, issue in enumerate(found) if issue.id not in kept]
    # By length, so that a part holds texts of like size and nothing is padded for long ones.
    missing.sort(key=lambda row: len(texts[row].joined))
    for start in range(0, len(missing), EMBED_AT_ONCE):
        part = missing[start : start + EMBED_AT_ONCE]
        matrix[part] = context.encoder.encode([texts[row].joined for row in part])
        with context.database.session() as session:
            rows = [(found[row].id, matrix[row]) for row in part]
            vectors.save(session, rows, **context.vector_key)
        log.info("%d of %d issues embedded", start + len(part), len(missing))
    return matrix


def _activate(context: Context, repository_id: int, head: Head, *, reason: str) -> None:
    with context.database.session() as session:
        head_id = heads.save(
            session,
            repository_id,
            artefact=head.to_bytes(),
            expectation=head.expectation.as_dict(),
            bundle=context.encoder.bundle_id,
            backend=context.encoder.backend,
            reason=reason,
        )
        repositories.activate_head(session, repository_id, head_id)
        repositories.set_status(session, repository_id, "ready")

"""Cuts a snapshot from the store, or straight from files. The only reader of `bot.store` in training.

What was deleted, and what its owner does not share, is not in it. It is complete or absent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from bot.classify.bundle import MANIFEST, file_sha256, publishing
from bot.core.evidence import teaches
from bot.core.provenance import discount_doubtful
from bot.core.rules import parse_rules
from bot.core.text import TEXT_VERSION, issue_text
from bot.core.types import LabelSpec
from bot.errors import UserError
from bot.store import (
    corrections,
    installations,
    issues,
    label_events,
    labels,
    repositories,
    silence,
)
from bot.store.tables import Repository
from training.snapshot.gathered import Answered, Gathered, GatheredIssue, gather_files
from training.snapshot.manifest import Manifest, RepositoryFacts, read_any_text, snapshot_id
from training.snapshot.parts import LEAST, SHARE
from training.snapshot.placed import Rows, facts_of, place, tables_of
from training.snapshot.read import (
    ISSUES,
    PAIRS,
    PARTS,
    SCHEMAS,
    Snapshot,
    assemble,
    check_learnable,
    read_snapshot,
)
from training.snapshot.tables import write_table

PRIVATE = "private, and its rules do not say share_for_training"
GONE = "deleted, transferred or spam"


@dataclass(frozen=True, slots=True)
class CutSettings:
    """How to cut. `used`: repository -> the newest issue that a run has seen."""

    share: float = SHARE
    least: int = LEAST
    used: Mapping[str, datetime] = field(default_factory=dict)


_USUAL = CutSettings()


def cut_files(paths: Sequence[Path], out: Path, *, settings: CutSettings = _USUAL) -> Snapshot:
    """A snapshot of the issues in files; every label in them counts as a human's unless the file tells."""
    sources = {path.name: file_sha256(path, advice="give a file of issues") for path in paths}
    return _cut(gather_files(paths), out, settings=settings, sources=sources)


def cut_store(
    session: Session,
    out: Path,
    *,
    settling: timedelta,
    now: datetime | None = None,
    settings: CutSettings = _USUAL,
) -> Snapshot:
    """A snapshot of all repositories that the store serves and whose owners allow it.

    Raises:
        UserError: nothing to learn from, or `out` cannot be written.
    """
    now = now or datetime.now(UTC)
    active = {row.id for row in installations.active(session)}
    rows = [row for row in repositories.all_active(session) if row.installation_id in active]
    bears = {row.full_name: row.id for row in sorted(rows, key=lambda row: row.id)}
    found, left_out = [], Counter[str]()
    for row in rows:
        if bears[row.full_name] == row.id:  # a name that passed on, and nobody told us, counts once
            gathered, missing = _gather(session, row, settled_before=now - settling)
            found.append(gathered)
            left_out.update(missing)
    return _cut(found, out, settings=settings, left_out=left_out, now=now)


def shared(row: Repository) -> bool:
    """Whether its issues may be learned from: it is public, or its owner allows it."""
    return not row.private or parse_rules(row.rules_text or "").share_for_training


def _gather(
    session: Session, row: Repository, *, settled_before: datetime
) -> tuple[Gathered, dict[str, int]]:
    """A repository of the store and how many of its issues are left out, by reason."""
    rules = parse_rules(row.rules_text or "")
    stored = issues.history(session, row.id)
    real = [issue for issue in stored if not issue.is_pull_request]
    if not shared(row):
        return Gathered(row.full_name, "store", (), (), rules), {PRIVATE: len(real)}
    kept = [issue for issue in real if teaches(issue.state)]
    events = discount_doubtful(label_events.of_repository(session, row.id))
    unbiased = silence.evidence_weights(session, row.id)
    gathered = Gathered(
        name=row.full_name,
        source="store",
        issues=tuple(
            GatheredIssue(
                number=issue.number,
                text=issue_text(issue.title, issue.body),
                as_filed=issue.as_filed,
                created_at=issue.created_at,
                author=issue.author,
                author_association=issue.author_association,
                labels=issue.labels,
                events=events.get(issue.id, ()),
                settled=issue.created_at < settled_before,
                unbiased=unbiased[issue.id] > 0,
                store_id=issue.id,
            )
            for issue in kept
        ),
        labels=tuple(
            LabelSpec(label.name, rules.of_label(label.name).description or label.description)
            for label in labels.active(session, row.id)
        ),
        rules=rules,
        corrections=tuple(
            Answered(c.issue_id, c.kind, c.removed, c.added, c.weight, c.at)
            for c in corrections.of_repository(session, row.id)
        ),
    )
    return gathered, {GONE: len(real) - len(kept)}


def _cut(
    found: Sequence[Gathered],
    out: Path,
    *,
    settings: CutSettings,
    sources: Mapping[str, str] | None = None,
    left_out: Counter[str] | None = None,
    now: datetime | None = None,
) -> Snapshot:
    placed = place(
        [gathered for gathered in found if gathered.issues],
        share=settings.share,
        least=settings.least,
        used=settings.used,
    )
    tables, facts = tables_of(placed), tuple(facts_of(part) for part in placed)
    missing = Counter(part for one in placed for part in one.parts if part not in PARTS)
    manifest = _manifest(
        tables,
        facts,
        left_out=+(missing + (left_out or Counter())),
        sources=sources or {},
        settings=settings,
        cut_at=now or datetime.now(UTC),
    )
    columns = {
        name: {key: [row[key] for row in rows] for key in SCHEMAS[name]}
        for name, rows in tables.items()
    }
    check_learnable(assemble(facts, columns), where=", ".join(sources or ["the store"]))
    try:
        with publishing(out, what="a snapshot") as directory:
            _write(directory, tables, manifest)
    except OSError as error:
        raise UserError(
            f"Cannot write a snapshot to {out}: {error.strerror}; nothing was left there. "
            "Make room, or choose another directory."
        ) from None
    return read_snapshot(out)


def seen_until(directories: Sequence[Path]) -> dict[str, datetime]:
    """Repository -> its newest issue in these snapshots. What is newer has not judged yet, and no
    encoder that came of them was trained on it."""
    seen: dict[str, datetime] = {}
    for directory in directories:
        for facts in read_any_text(directory).repositories:
            if facts.newest is not None:
                seen[facts.name] = max(facts.newest, seen.get(facts.name, facts.newest))
    return seen


def _manifest(
    tables: Mapping[str, Rows],
    facts: tuple[RepositoryFacts, ...],
    *,
    left_out: Mapping[str, int],
    sources: Mapping[str, str],
    settings: CutSettings,
    cut_at: datetime,
) -> Manifest:
    """The manifest, but for what follows from the files once they are written."""
    times = [row["created_at"] for row in tables[ISSUES] if row["created_at"] is not None]
    counts = Counter(row["part"] for row in tables[ISSUES])
    counts.update({name.removesuffix(".parquet"): len(rows) for name, rows in tables.items()})
    counts["text as filed"] = sum(row["as_filed"] for row in tables[ISSUES])
    return Manifest(
        id="",
        text_version=TEXT_VERSION,
        files={},
        repositories=facts,
        counts=dict(sorted(counts.items())),
        provenance=dict(sorted(Counter(row["provenance"] for row in tables[PAIRS]).items())),
        time_range=(min(times, default=None), max(times, default=None)),
        left_out=dict(sorted(left_out.items())),
        sources=dict(sorted(sources.items())),
        settings={"share": settings.share, "least": settings.least},
        cut_at=cut_at,
    )


def _write(directory: Path, tables: Mapping[str, Rows], manifest: Manifest) -> None:
    """The files, and the manifest last."""
    for name, schema in SCHEMAS.items():
        write_table(directory / name, tables[name], schema)
    files = {name: file_sha256(directory / name) for name in SCHEMAS}
    whole = replace(
        manifest,
        files=files,
        id=snapshot_id(files, manifest.text_version, manifest.repositories),
    )
    text = json.dumps(
        whole.as_dict(), indent=2, sort_keys=True, ensure_ascii=False, default=datetime.isoformat
    )
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")

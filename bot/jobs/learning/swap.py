"""The end of every refit: the new head serves or the old one stays, and why is stored beside it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.orm import Session

from bot.classify.encoder import Encoder
from bot.classify.head import Head
from bot.classify.trial import Trial
from bot.jobs.context import Context
from bot.jobs.requests import request_refit
from bot.store import bundles, heads, refits, repositories, touched
from bot.store.touched import Waiting


@dataclass(frozen=True, slots=True)
class ServingHead:
    """The head that serves, with its id and the encoder of its vectors."""

    id: int
    head: Head
    encoder: Encoder


@dataclass(frozen=True, slots=True)
class Attempt:
    """A head that wants to serve; `objection` is why it must not, "" if it may."""

    kind: Literal["labels", "whole"]
    labels: Sequence[str]
    head: Head
    encoder: Encoder
    """By whose vectors it was fitted."""
    objection: str
    reason: str
    trial: Trial | None
    found: int | None
    """Id of the head that served when it began."""
    began: float
    """By `time.perf_counter`."""


def serving_head(context: Context, repository_id: int) -> ServingHead | None:
    """None where none serves, or one whose encoder is not at hand."""
    with context.database.session() as session:
        stored = heads.active(session, repository_id)
        encoder = context.encoder_for(session, stored)
        if stored is None or encoder is None:
            return None
        return ServingHead(stored.id, context.head(session, stored.id), encoder)


def settle(
    context: Context,
    repository_id: int,
    attempt: Attempt,
    *,
    waiting: Waiting,
) -> str:
    """Activate the head or keep the old one; says in words which. What `waiting` asked for is done."""
    with context.database.session() as session:
        objection = attempt.objection or _overtaken(session, repository_id, attempt)
        after = None if objection else _activate(session, repository_id, attempt)
        seconds = time.perf_counter() - attempt.began
        verdict = objection or _why(attempt)
        refits.record(
            session,
            repository_id,
            kind=attempt.kind,
            labels=attempt.labels,
            before=attempt.found,
            after=after,
            swapped=after is not None,
            reason=verdict,
            report=_report(attempt),
            seconds=seconds,
        )
        repositories.advance(session, repository_id, "ready")
        touched.take(session, waiting)
        _go_on(session, repository_id)
        heads.prune(session, repository_id)
    return f"{'serves' if after else 'the old head stays'}: {verdict} ({seconds:.1f} s)"


def _overtaken(session: Session, repository_id: int, attempt: Attempt) -> str:
    """Somebody rolled back, or a new encoder came to serve, while this was learned from what was before."""
    serves = repositories.lock(session, repository_id).head_id
    if serves != attempt.found:
        return "another head came to serve while this one was fitted"
    # Asked under the lock of the repository, which whoever takes a bundle back needs too.
    bundle = bundles.get(session, attempt.encoder.bundle_id)
    return "its bundle was taken back" if bundle is not None and bundle.state == "retired" else ""


def _activate(session: Session, repository_id: int, attempt: Attempt) -> int:
    head_id = heads.save(
        session,
        repository_id,
        artefact=attempt.head.to_bytes(),
        expectation=attempt.head.expectation.as_dict(),
        bundle=attempt.encoder.bundle_id,
        backend=attempt.encoder.backend,
        reason=attempt.reason,
    )
    repositories.activate_head(session, repository_id, head_id)
    return head_id


def _go_on(session: Session, repository_id: int) -> None:
    """A correction that was stored while this ran may have found the queue taken by this very job."""
    if left := touched.waiting(session, repository_id).labels:
        request_refit(session, repository_id, labels=(), reason=f"{len(left)} labels since")


def _why(attempt: Attempt) -> str:
    trial = attempt.trial
    if trial is None:
        return attempt.reason
    corrected = sum(tally.n for tally in trial.fresh.values())
    right = sum(tally.after for tally in trial.fresh.values())
    told = f"{attempt.reason}; {right} of {corrected} corrected issues right" if corrected else ""
    if trial.precision_before is None or trial.precision_after is None:
        return told or attempt.reason
    moved = f"precision {trial.precision_before:.1%} to {trial.precision_after:.1%}"
    return f"{told or attempt.reason}; {moved} on {trial.issues} issues that neither head saw"


def _report(attempt: Attempt) -> dict[str, Any]:
    return attempt.trial.as_dict() if attempt.trial else {}

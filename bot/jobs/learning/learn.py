"""From a repository's stored history to the head that serves it: embed, fit, try, activate."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.classify.choices import Earlier, choice_after, heed_practice
from bot.classify.encoder import Encoder
from bot.classify.expectation import Expectation
from bot.classify.head import DELTA, Head, fit_head
from bot.classify.history import History
from bot.classify.memory import Memory
from bot.classify.trial import Lesson, Trial, compare
from bot.core.label_text import label_text
from bot.errors import Ignore
from bot.jobs.context import Context
from bot.jobs.learning import past as pasts
from bot.jobs.learning.features import count_words_of, embed
from bot.jobs.learning.past import Past
from bot.jobs.learning.practice import Evidence, read_evidence
from bot.jobs.learning.standing import measure_standing
from bot.jobs.learning.swap import Attempt, serving_head, settle
from bot.jobs.requests import AUTOMATIC
from bot.jobs.served import served
from bot.store import bundles, heads, refits, repositories, standings, touched
from bot.store.tables import Head as StoredHead

log = logging.getLogger(__name__)


def learn_repository(
    context: Context, *, repository_id: int, reason: str, bundle: str | None = None
) -> str:
    """Fit, try, store and activate the head of a repository from everything known of it, on the vectors
    of `bundle`, or of whichever serves it now."""
    began = time.perf_counter()
    with context.database.session() as session:
        row = served(session, repository_id)
        found = row.head_id
        if found is None and row.history_cursor is not None:
            raise Ignore(f"the history of {row.full_name} is still being read, and learned then")
        # What waits is read first: what comes after must not be taken for learned.
        waiting = touched.waiting(session, repository_id)
        past = pasts.read_past(session, repository_id)
        pinned = refits.pinned(session, repository_id)
        if not past.specs:
            repositories.advance(session, repository_id, "ready")
            return f"{past.full_name} has no label to learn ({reason})"
    if pinned is not None and reason in AUTOMATIC and not waiting.rows:
        return f"{past.full_name} was rolled back to version {pinned.version}, and not taught since"
    serving = serving_head(context, repository_id)
    encoder = _encoder(context, bundle, found)
    old = serving.head if serving and serving.encoder is encoder else None
    new, history, lessons = _fit(context, encoder, repository_id, past, old=old)
    trial = _try(old, new, history=history, lessons=lessons)
    attempt = Attempt(
        kind="whole",
        labels=new.labels,
        head=new,
        encoder=encoder,
        objection=_objection(trial, target=new.target),
        reason=reason,
        trial=trial,
        found=found,
        began=began,
    )
    verdict = settle(context, repository_id, attempt, waiting=waiting)
    with context.database.session() as session:
        settling = timedelta(days=context.settling_days)
        figures = measure_standing(session, repository_id, settling=settling, past=past)
        standings.save(session, repository_id, figures)
    counts = f"{len(past.specs)} labels from {len(past.issues)} issues"
    return f"learned {counts} of {past.full_name} ({reason}): {verdict}"


def _encoder(context: Context, bundle: str | None, head_id: int | None) -> Encoder:
    """While a promotion runs, a repository that it has reached stays with the challenger; every other
    one belongs to the champion."""
    with context.database.session() as session:
        challenger = bundles.challenger(session)
        head = session.get(StoredHead, head_id) if head_id else None
        if bundle is None and challenger and head and head.bundle == challenger.id:
            bundle = challenger.id
        return context.encoder_of(session, bundle) if bundle else context.champion(session)


def _fit(
    context: Context, encoder: Encoder, repository_id: int, past: Past, *, old: Head | None
) -> tuple[Head, History, list[Lesson]]:
    names, exclusive = past.names, past.exclusive()
    matrix = embed(context, encoder, past.issues)
    settling = timedelta(days=context.settling_days)
    known = pasts.known_pairs(past, names, exclusive=exclusive, settling=settling)
    # What the old head remembers is by column: with other labels, nothing of it can be told.
    told = old.memory if old and list(old.labels) == names else Memory.empty(matrix.shape[1])
    with context.database.session() as session:
        evidence = read_evidence(
            session, repository_id, past, names=names, known=known, settling=settling
        )
    history, lessons, memory = pasts.teaching(
        past,
        names,
        known=known,
        settling=settling,
        told=told,
        vectors=matrix,
        counts=count_words_of(context, past.issues),
        exclusive=exclusive,
        unbiased=evidence.unbiased,
        seen=encoder.provenance.rows(past.full_name, past.times),
    )
    pairs = int((known[history.judges] != 0).sum())
    head = fit_head(
        history,
        past.specs,
        label_vectors=encoder.encode([label_text(spec) for spec in past.specs]),
        exclusive=exclusive,
        target=past.rules.precision,
        earlier=_earlier(context, encoder, repository_id, past, evidence=evidence, pairs=pairs),
        families=past.named_families,
    )
    return replace(head, memory=memory), history, lessons


def _earlier(
    context: Context,
    encoder: Encoder,
    repository_id: int,
    past: Past,
    *,
    evidence: Evidence,
    pairs: int,
) -> Earlier:
    """What earlier choices of cuts proved and spent, and what practice disproved since. `pairs`: known
    ones that this choice may look at."""
    with context.database.session() as session:
        stored = heads.active(session, repository_id)
        made = heads.choices_made(session, repository_id)
    target = past.rules.precision
    before = choice_after(
        Expectation.from_dict(stored.expectation) if stored else None,
        pairs=pairs,
        made=made,
        target=target,
        comparable=stored is not None
        and (stored.bundle, stored.backend) == (encoder.bundle_id, encoder.backend),
    )
    return heed_practice(
        before,
        evidence.practice,
        past.names,
        filed=evidence.filed,
        now=time.time(),
        target=target,
        delta=DELTA,
    )


def _try(
    old: Head | None, new: Head, *, history: History, lessons: Sequence[Lesson]
) -> Trial | None:
    """None where there is nothing to hold it against: no head, or one of other labels."""
    if old is None or old.labels != new.labels:
        return None
    every = range(len(new.labels))
    return compare(old, new, history=history, lessons=lessons, columns=every)


def _objection(trial: Trial | None, *, target: float) -> str:
    """New cuts may trade precision above the target for coverage: that is what they are for."""
    if trial is None or trial.precision_after is None or trial.precision_after >= target:
        return ""
    return trial.objection

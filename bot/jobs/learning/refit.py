"""From corrections to a head that has learned them, within seconds: the fast loop.

Vectors are those that are stored; only the labels that corrections touched are learned anew, and what
the corrections said is remembered word for word. Calibration and cuts stay those of the last whole fit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bot.classify.encoder import Encoder
from bot.classify.head import Head, refit_labels
from bot.classify.trial import Trial, compare
from bot.errors import Ignore
from bot.jobs.context import Context
from bot.jobs.learning import past as pasts
from bot.jobs.learning.features import count_words_of, embedded
from bot.jobs.learning.past import Past
from bot.jobs.learning.swap import Attempt, ServingHead, serving_head, settle
from bot.jobs.requests import request_learning, request_whole
from bot.jobs.served import served
from bot.store import touched


def refit_repository(context: Context, *, repository_id: int) -> str:
    """Learn what corrections touched since the last time.

    Raises:
        Ignore: nothing waits, the repository is not served, or only a whole fit can do it.
    """
    began = time.perf_counter()
    with context.database.session() as session:
        waiting = touched.waiting(session, repository_id)
        if not waiting.rows:
            raise Ignore("no label waits to be refitted")
        past = pasts.read_past(session, repository_id)
        found = served(session, repository_id).head_id
        if not set(waiting.labels) & set(past.names):
            touched.take(session, waiting)
            return f"not learned here: {', '.join(waiting.labels)}"
    serving = serving_head(context, repository_id)
    labels = [label for label in waiting.labels if serving and label in serving.head.labels]
    if serving is None or not labels:
        with context.database.session() as session:
            request_learning(session, repository_id, reason="; ".join(waiting.reasons))
        raise Ignore("the head that serves does not have these labels: it is fitted anew")
    new, trial = _learn(context, past, serving, labels=labels)
    attempt = Attempt(
        kind="labels",
        labels=labels,
        head=new,
        encoder=serving.encoder,
        objection=trial.objection,
        reason="; ".join(waiting.reasons[:3]),
        trial=trial,
        found=found,
        began=began,
    )
    verdict = settle(context, repository_id, attempt, waiting=waiting)
    with context.database.session() as session:
        request_whole(session, repository_id)
    return f"refitted {', '.join(labels)} of {past.full_name}: {verdict}"


def _learn(
    context: Context, past: Past, serving: ServingHead, *, labels: Sequence[str]
) -> tuple[Head, Trial]:
    """The head that has learned the labels anew, and how it stands beside the old one."""
    old = serving.head
    names = list(old.labels)
    past, matrix = _with_vectors(context, serving.encoder, past)
    settling = timedelta(days=context.settling_days)
    known = pasts.known_pairs(past, names, exclusive=old.exclusive, settling=settling)
    history, lessons, memory = pasts.teaching(
        past,
        names,
        known=known,
        settling=settling,
        told=old.memory,
        vectors=matrix,
        counts=count_words_of(context, past.issues),
        exclusive=old.exclusive,
    )
    new = replace(refit_labels(old, history, labels), memory=memory)
    columns = [names.index(label) for label in labels]
    trial = compare(old, new, history=history, lessons=lessons, columns=columns)
    return new, trial


def _with_vectors(
    context: Context, encoder: Encoder, past: Past
) -> tuple[Past, NDArray[np.float32]]:
    """The issues that have a vector, and their vectors [n, dim]; only corrected issues are embedded now,
    the others wait for the whole fit."""
    corrected = {one.issue_id for one in past.corrections}
    matrix, there = embedded(context, encoder, past.issues, new=corrected)
    if there.all():
        return past, matrix
    kept = [issue for issue, has in zip(past.issues, there, strict=True) if has]
    return replace(past, issues=kept), matrix[there]

"""The tasks by name. Each is a thin door: take the arguments of the job, call the stage, store the outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bot.github.events import parse_event
from bot.jobs import queue
from bot.jobs.applying import apply_pending
from bot.jobs.context import Context
from bot.jobs.handlers import handle
from bot.jobs.learning.harvest import harvest
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import onboard
from bot.jobs.learning.refit import refit_repository
from bot.jobs.rollout.takeover import embed_repository, swap_repository
from bot.jobs.talk.notices import tell_of_rules
from bot.store import deliveries

log = logging.getLogger(__name__)

Task = Callable[..., None]


def handle_delivery(context: Context, *, delivery_id: int) -> None:
    """Act on a stored delivery; what it raises ends it or brings it back, see `bot.jobs.attempt`."""
    with context.database.session() as session:
        delivery = deliveries.get(session, delivery_id)
    if delivery is None or delivery.status != "stored":
        return  # a second run of a job that had ended well
    occurred = parse_event(delivery.event, delivery.body, us=context.auth.identity())
    outcome = handle(context, occurred, delivery_id=delivery_id)
    with context.database.session() as session:
        deliveries.finish(session, delivery_id, status="done", outcome=outcome)


def apply(
    context: Context, *, issue_id: int, moment: float | None = None, waited: float = 0.0
) -> None:
    """Write what waited for its turn in the installation's row of writes."""
    outcome = apply_pending(context, issue_id=issue_id, moment=moment, waited=waited)
    log.info("issue %d: %s", issue_id, outcome)


def onboard_repository(context: Context, *, repository_id: int) -> None:
    log.info(onboard(context, repository_id=repository_id))


def harvest_repository(context: Context, *, repository_id: int) -> None:
    log.info(harvest(context, repository_id=repository_id))


def learn(context: Context, *, repository_id: int, reason: str) -> None:
    log.info(learn_repository(context, repository_id=repository_id, reason=reason))


def refit(context: Context, *, repository_id: int) -> None:
    log.info(refit_repository(context, repository_id=repository_id))


def embed(context: Context, *, repository_id: int, bundle: str) -> None:
    log.info(embed_repository(context, repository_id=repository_id, bundle=bundle))


def swap(context: Context, *, repository_id: int, bundle: str) -> None:
    log.info(swap_repository(context, repository_id=repository_id, bundle=bundle))


def notice(
    context: Context, *, repository_id: int, number: int, moment: float | None = None
) -> None:
    log.info(tell_of_rules(context, repository_id=repository_id, number=number, moment=moment))


TASKS: Mapping[str, Task] = {
    queue.TASK_DELIVERY: handle_delivery,
    queue.TASK_APPLY: apply,
    queue.TASK_NOTICE: notice,
    queue.TASK_ONBOARD: onboard_repository,
    queue.TASK_HARVEST: harvest_repository,
    queue.TASK_LEARN: learn,
    queue.TASK_REFIT: refit,
    queue.TASK_EMBED: embed,
    queue.TASK_SWAP: swap,
}

"""`labelwright up`, `serve`, `worker`, `schedule`: the processes that run for good."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bot.cli.terminal import console, open_store, polite_errors, start
from bot.errors import UserError

if TYPE_CHECKING:
    from bot.jobs.context import Context
    from bot.jobs.worker import Serving


def up() -> None:
    """Run the receiver, one worker and the scheduler together, on one machine."""
    from bot.processes import running

    with polite_errors(), ExitStack() as stack:
        start()
        children = [
            stack.enter_context(running(name, os.environ))
            for name in ("serve", "worker", "schedule")
        ]
        console.print("Labelwright is up; Ctrl-C stops it.")
        try:
            while all(child.poll() is None for child in children):
                children[0].wait()
        except KeyboardInterrupt:
            return
        raise UserError("a process ended on its own; its last lines above say why")


def serve() -> None:
    """Run the webhook receiver."""
    import uvicorn

    from bot.web.app import create_app

    with polite_errors():
        settings = start()
        secrets = settings.require_webhook_secrets()
        tokens = [token.get_secret_value() for token in settings.agent_tokens]
        with open_store(settings) as database:
            uvicorn.run(
                create_app(database, webhook_secrets=secrets, agent_tokens=tokens),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
            )


def worker() -> None:
    """Run a worker: takes jobs from the queue, any number of them on any number of machines."""
    from bot.jobs.context import open_context
    from bot.jobs.tasks import TASKS
    from bot.jobs.worker import run_worker

    with polite_errors():
        settings = start()
        with open_store(settings) as database:
            context = open_context(settings, database)
            run_worker(
                database,
                {name: partial(task, context) for name, task in TASKS.items()},
                concurrency=settings.worker_concurrency,
                serving=partial(_serving, context),
            )


def _serving(context: Context) -> Serving | None:
    """What this worker tells the others that it serves; nothing where it cannot open the champion."""
    from bot.jobs.worker import Serving

    try:
        encoder = context.encoder
    except UserError as error:
        logging.getLogger(__name__).error("the champion cannot be opened: %s", error)
        return None
    return Serving(encoder.bundle_id, encoder.backend)


def schedule() -> None:
    """Run the scheduler: lost deliveries, missed installs and label events, daily refits. Any number may run."""
    from bot.github.app import AppAuth
    from bot.jobs.schedule import Reach, run_schedules

    with polite_errors():
        settings = start()
        auth = AppAuth(
            settings.require_app_id(), settings.private_key, api_url=settings.github_api_url
        )
        with open_store(settings) as database:
            run_schedules(Reach(database, auth, settings.write_interval))

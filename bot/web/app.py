"""The receiver as one ASGI application. Enqueues by task name; imports neither tasks nor models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from bot.errors import UserError
from bot.store.engine import Database
from bot.web.health import health_router
from bot.web.intake import Intake
from bot.web.metrics import StoreCollector, metrics_router
from bot.web.runs import runs_router
from bot.web.webhook import webhook_router


def create_app(
    database: Database, *, webhook_secrets: Sequence[str], agent_tokens: Sequence[str] = ()
) -> FastAPI:
    """The application. The caller keeps `database` open while it serves.

    Args:
        webhook_secrets: Each may have signed a delivery, so that one can be rotated.
        agent_tokens: Each lets GPU boxes fetch runs; without one there is no such door.
    Raises:
        UserError: there is no secret, or an empty one, which would let anybody in.
    """
    if not webhook_secrets or not all(webhook_secrets):
        raise UserError("Set LABELWRIGHT_WEBHOOK_SECRETS to the App's webhook secret")
    intake = Intake(database.url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with intake:
            yield

    app = FastAPI(title="Labelwright", lifespan=lifespan, openapi_url=None)
    registry = CollectorRegistry()
    answers = Counter(
        "labelwright_webhook_answers",
        "Answers to deliveries, by this process",
        ["outcome"],
        registry=registry,
    )
    registry.register(StoreCollector(database))
    app.include_router(webhook_router(intake, tuple(webhook_secrets), answers))
    app.include_router(health_router(database))
    app.include_router(metrics_router(registry))
    if agent_tokens:
        app.include_router(runs_router(database, tokens=tuple(agent_tokens)))
    return app

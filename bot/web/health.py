"""GET /healthz: the process lives. GET /readyz: what it needs is there, each said apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from bot.store import beats, bundles
from bot.store.bundles import Serving
from bot.store.engine import Database
from bot.store.migrate import is_migrated
from bot.store.tables import WorkerBeat

FRESH = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the service needs; `detail` says what to do, or what is there."""

    ok: bool
    detail: str


def health_router(database: Database) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def readyz() -> JSONResponse:
        checks = readiness(database)
        ready = all(check.ok for check in checks.values())
        body = {"ready": ready, "checks": {name: asdict(c) for name, c in checks.items()}}
        return JSONResponse(body, status_code=200 if ready else 503)

    return router


def readiness(database: Database) -> dict[str, Check]:
    """database: reachable and migrated; queue: a worker lives; bundle: one is served."""
    try:
        if not is_migrated(database):
            stored = Check(False, "not migrated; run `labelwright migrate`")
            return {"database": stored, **_unknown()}
        with database.session() as session:
            workers, served = beats.fresh(session, within=FRESH), bundles.serving(session)
    except SQLAlchemyError as error:
        return {"database": Check(False, f"out of reach ({type(error).__name__})"), **_unknown()}
    return {
        "database": Check(True, "reachable, migrated"),
        "queue": _queue(workers),
        "bundle": _bundle(workers, served),
    }


def _queue(workers: list[WorkerBeat]) -> Check:
    if not workers:
        return Check(False, "no worker was seen lately; start `labelwright worker`")
    return Check(True, f"workers: {len(workers)}")


def _bundle(workers: list[WorkerBeat], served: list[Serving]) -> Check:
    """What workers hold; where a bundle was ever promoted, also which one serves how many repositories."""
    held = sorted({f"{row.bundle}/{row.backend}" for row in workers if row.bundle})
    if not held:
        return Check(False, "no worker serves a bundle")
    where = [f"{one.state} {one.bundle} serves {one.repositories} repositories" for one in served]
    return Check(True, "; ".join([", ".join(held), *where]))


def _unknown() -> dict[str, Check]:
    return {name: Check(False, "unknown without the database") for name in ("queue", "bundle")}

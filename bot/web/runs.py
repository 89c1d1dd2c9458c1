"""What a GPU box asks for over HTTPS: lease a run, fetch its snapshot, tell that it lives, bring the fit.

The box dials in, so it needs no open port and no GitHub key; a bearer token lets it in. Files arrive
beside the run's directory and become its `fit/` in one rename, after every hash was right.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from bot.store import runs
from bot.store.engine import Database

LAUNCHER = "agent"
SNAPSHOT = "snapshot"
RECIPE = "recipe.json"
FIT = "fit"
DONE = "done.json"
"""The last file that a fit writes."""
ONE_DIRECTORY = "it and `labelwright-train schedule` need the same LABELWRIGHT_DATA_DIR, with the same disk behind it"
MAX_FIT = 8 * 1024**3
"""Bytes that a box may bring: they lie where webhooks are stored, perhaps."""


LeaseHeader = Annotated[str, Header(alias="x-lease")]


class Asking(BaseModel):
    """Who asks for work."""

    agent: str = Field(min_length=1, max_length=200)


class Progress(BaseModel):
    """How far a fit is, as `metrics.jsonl` told last."""

    progress: dict[str, Any] = Field(default_factory=dict)


class Whole(BaseModel):
    """Every file of a finished fit with its sha256."""

    files: dict[str, str] = Field(min_length=1)


class Broken(BaseModel):
    """Why a fit ended badly; `final`: no retry can help."""

    why: str = Field(max_length=2000)
    final: bool = False


def runs_router(database: Database, *, tokens: Sequence[str]) -> APIRouter:
    """The routes under /runs; whoever shows none of the `tokens` gets 401."""
    router = APIRouter(prefix="/runs", dependencies=[Depends(_guard(tokens))])

    @router.post("/lease")
    def lease(asking: Asking) -> Response:
        while True:
            with database.session() as session:
                found = runs.lease(session, launcher=LAUNCHER, by=asking.agent)
            if found is None:
                return Response(status_code=204)
            try:
                _sweep(found.directory)
                files = _listing(found.directory)
            except OSError as error:  # or it would hold up all that wait behind it
                told = f"its files are not where the receiver looks ({error}): {ONE_DIRECTORY}"
                with database.session() as session:
                    runs.finish(session, found.run_id, "failed", told)
                continue
            lent = {"run": found.run_id, "lease": found.token, "attempt": found.attempt}
            return JSONResponse({**lent, "files": files})

    @router.get("/{run_id}/files/{name:path}")
    def fetch(run_id: int, name: str, lease: LeaseHeader) -> FileResponse:
        directory = _directory(database, run_id, lease)
        if name not in _names(directory):
            raise HTTPException(404, f"run {run_id} has no file {name}")
        return FileResponse(directory / name)

    @router.post("/{run_id}/heartbeat")
    def heartbeat(run_id: int, told: Progress, lease: LeaseHeader) -> dict[str, str]:
        with database.session() as session, _held():
            runs.heartbeat(session, run_id, lease, told.progress)
        return {"status": "go on"}

    @router.put("/{run_id}/fit/{name:path}")
    async def bring(run_id: int, name: str, request: Request, lease: LeaseHeader) -> dict[str, str]:
        directory = await run_in_threadpool(_directory, database, run_id, lease)
        arriving = _arriving(directory, lease)
        target = _inside(arriving, name)
        room = MAX_FIT - await run_in_threadpool(_size, arriving, target)
        return {"sha256": await _receive(request, target, room=room)}

    @router.post("/{run_id}/done")
    def done(run_id: int, whole: Whole, lease: LeaseHeader) -> dict[str, str]:
        directory = _directory(database, run_id, lease)
        arrived, out = _arriving(directory, lease), directory / FIT
        _check(arrived, whole.files)  # takes its time, so the run is not locked meanwhile
        with database.session() as session, _held():
            runs.fitted(session, run_id, lease)
            shutil.rmtree(out, ignore_errors=True)
            arrived.rename(out)
        _sweep(directory)
        return {"status": "thank you"}

    @router.post("/{run_id}/broke")
    def broke(run_id: int, broken: Broken, lease: LeaseHeader) -> dict[str, str]:
        directory = _directory(database, run_id, lease)
        shutil.rmtree(_arriving(directory, lease), ignore_errors=True)
        with database.session() as session, _held():
            runs.broke(session, run_id, lease, broken.why, final=broken.final)
        return {"status": "noted"}

    return router


def _guard(tokens: Sequence[str]) -> Callable[[str], None]:
    expected = [f"Bearer {token}".encode() for token in tokens]

    def guard(authorization: Annotated[str, Header()] = "") -> None:
        given = authorization.encode()
        matches = [hmac.compare_digest(given, token) for token in expected]
        if not any(matches):
            raise HTTPException(401, "show a token of LABELWRIGHT_AGENT_TOKENS as bearer")

    return guard


@contextmanager
def _held() -> Iterator[None]:
    """A lease that is lost is 409: the box stops, for another has taken over."""
    try:
        yield
    except runs.LeaseLost as error:
        raise HTTPException(409, str(error)) from None


def _directory(database: Database, run_id: int, lease: str) -> Path:
    with database.session() as session, _held():
        return Path(runs.leased(session, run_id, lease).directory)


def _names(directory: Path) -> list[str]:
    """What a fit needs: the recipe and the files of the snapshot."""
    snapshot = sorted(path.name for path in (directory / SNAPSHOT).iterdir() if path.is_file())
    return [RECIPE, *(f"{SNAPSHOT}/{name}" for name in snapshot)]


def _listing(directory: Path) -> dict[str, str]:
    return {name: _sha256(directory / name) for name in _names(directory)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _arriving(directory: Path, lease: str) -> Path:
    """Where a lease's files gather; its name gives nothing of the lease away."""
    return directory / f".arriving-{hashlib.sha256(lease.encode()).hexdigest()[:16]}"


def _sweep(directory: Path) -> None:
    """What boxes brought that lost their lease on the way."""
    for left in directory.glob(".arriving-*"):
        shutil.rmtree(left, ignore_errors=True)


def _inside(directory: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\x00" in name:
        raise HTTPException(400, f"{name!r} is no name of a file in a fit")
    return directory.joinpath(*parts)


def _size(directory: Path, but: Path) -> int:
    """Bytes of all its files but one, which is brought again."""
    return sum(x.stat().st_size for x in directory.rglob("*") if x.is_file() and x != but)


async def _receive(request: Request, target: Path, *, room: int) -> str:
    """The body, streamed to `target`; its sha256."""
    digest, size = hashlib.sha256(), 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            async for chunk in request.stream():
                size += len(chunk)
                if size > room:
                    raise HTTPException(413, f"a fit holds at most {MAX_FIT} bytes")
                digest.update(chunk)
                await run_in_threadpool(stream.write, chunk)  # a disk must not hold up webhooks
    except (OSError, HTTPException) as error:
        with suppress(OSError):
            target.unlink()
        if isinstance(error, HTTPException):
            raise
        raise HTTPException(507, f"{target.name} cannot be kept: {error.strerror}") from None
    return digest.hexdigest()


def _check(arrived: Path, expected: dict[str, str]) -> None:
    """Every hash is held against what the box says it sent."""
    for name, sha256 in expected.items():
        path = _inside(arrived, name)
        if not path.is_file() or _sha256(path) != sha256:
            raise HTTPException(422, f"{name} did not arrive as it was sent; send it again")
    strangers = {
        path.relative_to(arrived).as_posix() for path in arrived.rglob("*") if path.is_file()
    } - expected.keys()
    if strangers:
        raise HTTPException(422, f"{min(strangers)} arrived, but is not in the list of files")
    if DONE not in expected:
        raise HTTPException(422, f"{DONE} is missing: a fit without it did not come to its end")

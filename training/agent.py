"""A GPU box that pulls: leases a run from the receiver, fits it here, brings the model back.

It holds no key to GitHub and opens no port. A run that it loses, because the network was away for too
long or another took over, it stops.
"""

from __future__ import annotations

import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from bot.classify.bundle import file_sha256
from bot.errors import LabelwrightError, UserError
from training.launch import FitFailed, FitRefused, Launcher, OnProgress, Work
from training.leftovers import clear_boxes

log = logging.getLogger(__name__)

BEAT = 20.0
"""Seconds between two heartbeats."""
IDLE = 30.0
"""Seconds until the next question for work."""
TIMEOUT = httpx.Timeout(30.0, read=600.0)
PART = 1024 * 1024


class Lost(LabelwrightError):
    """The run is somebody else's now."""


class NotTaken(LabelwrightError):
    """The server does not take the fit; what was fitted is kept until it does."""

    def __init__(self, answer: httpx.Response) -> None:
        told = f"{answer.status_code}: {_detail(answer)}"
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            told += "; what stands before the receiver has to let large files through under /runs"
        super().__init__(f"the server did not take the fit, {told}")
        self.final = answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


@dataclass(frozen=True, slots=True)
class Leased:
    """A run that is ours until we fall silent."""

    run: int
    lease: str
    files: Mapping[str, str]
    """Name -> sha256 of what the fit needs."""


class Server:
    """The receiver, as a GPU box sees it."""

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None):
        bearer = {"authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=url, headers=bearer, timeout=TIMEOUT, transport=transport
        )

    def close(self) -> None:
        self._http.close()

    def lease(self) -> Leased | None:
        """The next run, None where none waits.

        Raises:
            UserError: the token is wrong, or there is no such door at that address.
        """
        answer = self._http.post("/runs/lease", json={"agent": socket.gethostname()})
        if answer.status_code == 204:
            return None
        if answer.status_code == 401:
            raise UserError("The server does not know this token (LABELWRIGHT_AGENT_TOKENS there).")
        if answer.status_code == 404:
            raise UserError(
                "The server lends no runs: look at its address, and set LABELWRIGHT_AGENT_TOKENS there."
            )
        told = self._good(answer).json()
        return Leased(told["run"], told["lease"], told["files"])

    def fetch(self, leased: Leased, directory: Path, *, beat: OnProgress) -> None:
        """Every file of the run into `directory`; what is there already, whole, is not fetched again.
        A fit that was begun with other files goes."""
        for name, sha256 in leased.files.items():
            beat({"fetching": name})
            if ".." in PurePosixPath(name).parts or name.startswith("/"):
                raise UserError(f"the server sends a file {name!r}, which leads out of the run")
            target = directory / name
            if target.is_file() and file_sha256(target) == sha256:
                continue
            shutil.rmtree(Work(directory).out, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            arriving = target.with_name(f".{target.name}.arriving")
            self._download(leased, name, arriving, beat=beat)
            if file_sha256(arriving) != sha256:
                raise httpx.ReadError(f"{name} did not arrive as it was sent")
            arriving.replace(target)

    def heartbeat(self, leased: Leased, progress: Mapping[str, Any]) -> None:
        self._post(leased, "heartbeat", {"progress": dict(progress)})

    def bring(self, leased: Leased, out: Path, *, beat: OnProgress) -> None:
        """Every file of the fit, then the list of them: only that makes it whole over there."""
        files = {
            path.relative_to(out).as_posix(): file_sha256(path)
            for path in sorted(out.rglob("*"))
            if path.is_file() and "checkpoint" not in path.relative_to(out).parts[0]
        }
        for name in files:
            beat({"bringing": name})
            url = f"/runs/{leased.run}/fit/{name}"
            content = _parts(out / name, partial(beat, {"bringing": name}))
            self._good(self._http.put(url, content=content, headers=_held(leased)))
        self._post(leased, "done", {"files": files})

    def broke(self, leased: Leased, why: str, *, final: bool) -> None:
        self._post(leased, "broke", {"why": why[-2000:], "final": final})

    def _post(self, leased: Leased, what: str, body: Mapping[str, Any]) -> None:
        url = f"/runs/{leased.run}/{what}"
        self._good(self._http.post(url, json=body, headers=_held(leased)))

    def _download(self, leased: Leased, name: str, target: Path, *, beat: OnProgress) -> None:
        url = f"/runs/{leased.run}/files/{name}"
        with self._http.stream("GET", url, headers=_held(leased)) as answer:
            if answer.status_code == 409:
                raise Lost(f"run {leased.run} is leased to another")
            answer.raise_for_status()
            with target.open("wb") as stream:
                for part in answer.iter_bytes(PART):
                    stream.write(part)
                    beat({"fetching": name})

    def _good(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 409:
            raise Lost(_detail(answer))
        if answer.status_code in (413, 422, 507):
            raise NotTaken(answer)
        return answer.raise_for_status()


class _Heart:
    """Beats at most every `BEAT` seconds; a server that is away for a while is not an end."""

    def __init__(self, server: Server, leased: Leased) -> None:
        self._server = server
        self._leased = leased
        self._last = 0.0

    def __call__(self, progress: Mapping[str, Any]) -> None:
        if time.monotonic() - self._last < BEAT:
            return
        self._last = time.monotonic()
        try:
            self._server.heartbeat(self._leased, progress)
        except httpx.HTTPError as error:
            log.warning("no heartbeat: %s", error)


def work_once(server: Server, launcher: Launcher, directory: Path) -> bool:
    """Fit the next run, if one waits; whether there was one."""
    leased = server.lease()
    if leased is None:
        return False
    work = Work(directory / f"run-{leased.run}")
    clear_boxes(directory, but=work.directory)
    heart = _Heart(server, leased)
    log.info("run %d: fetching its snapshot", leased.run)
    try:
        server.fetch(leased, work.directory, beat=heart)
        launcher.fit(work, on_progress=heart)
        server.bring(leased, work.out, beat=heart)
    except NotTaken as error:
        server.broke(leased, str(error), final=error.final)
        log.error("run %d: %s; %s is kept", leased.run, error, work.out)
        return True
    except (FitFailed, UserError, OSError) as error:  # a full disk, say
        server.broke(leased, str(error), final=isinstance(error, (FitRefused, UserError)))
        log.error("run %d: %s", leased.run, error)
    else:
        log.info("run %d: fitted and brought back", leased.run)
    shutil.rmtree(work.directory, ignore_errors=True)
    return True


def work_on(server: Server, launcher: Launcher, directory: Path, *, idle: float = IDLE) -> None:
    """Fit run after run until stopped. What a fit had saved is kept for when its run comes back."""
    while True:
        try:
            worked = work_once(server, launcher, directory)
        except Lost as lost:
            log.warning("%s", lost)
            worked = True
        except httpx.HTTPError as error:
            log.warning("the server is out of reach: %s", error)
            worked = False
        if not worked:
            time.sleep(idle)


def _held(leased: Leased) -> dict[str, str]:
    return {"x-lease": leased.lease}


def _detail(answer: httpx.Response) -> str:
    """The receiver's own words, if it is that which answers and no proxy."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, TypeError, KeyError):
        return answer.reason_phrase


def _parts(path: Path, alive: Callable[[], None]) -> Iterator[bytes]:
    """A large file takes longer than a lease lasts."""
    with path.open("rb") as stream:
        while part := stream.read(PART):
            yield part
            alive()

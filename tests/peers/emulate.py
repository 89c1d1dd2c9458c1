"""Starts `emulate` (Vercel Labs), another stateful GitHub, with our App installed in it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.peers.node import install

START_TIMEOUT = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def seed(*, app_id: int, private_key: str, secret: str, hook_url: str, login: str) -> str:
    """JSON, which its YAML reader takes too."""
    app = {
        "app_id": app_id,
        "slug": "labelwright",
        "name": "Labelwright",
        "private_key": private_key,
        "permissions": {"issues": "write", "metadata": "read", "contents": "read"},
        "events": ["issues", "issue_comment", "label", "push", "repository"],
        "webhook_url": hook_url,
        "webhook_secret": secret,
        "installations": [
            {"installation_id": 100, "account": login, "repository_selection": "all"}
        ],
    }
    world = {
        "tokens": {"person-token": {"login": login, "scopes": ["repo"]}},
        "github": {
            "users": [{"login": login, "name": login, "email": f"{login}@example.invalid"}],
            "repos": [{"owner": login, "name": "tracker", "auto_init": True}],
            "apps": [app],
        },
    }
    return json.dumps(world)


@contextmanager
def running(folder: Path, seeded: str) -> Iterator[str]:
    """The URL where it answers."""
    modules = install("emulate", "node")
    file = folder / "seed.json"
    file.write_text(seeded)
    port = free_port()
    node, entry = modules / ".bin" / "node", modules / "emulate" / "dist" / "index.js"
    command = [node, entry, "start", "--service", "github", "--port", str(port), "--seed", file]
    with (folder / "emulate.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            _await(f"http://localhost:{port}", process, folder / "emulate.log")
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/rate_limit", timeout=2)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"emulate did not start: {log.read_text()[-2000:]}")

"""Registers the App on GitHub by its manifest flow: one click there, and the credentials are on disk here.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
Serves one page on loopback for as long as it takes; shows no secret and logs none.
"""

import html
import json
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse

from bot.errors import LabelwrightError, RetryLater, UserError
from bot.github.manifest import Credentials, app_manifest, convert_manifest

ENV_FILE = "labelwright.env"
KEY_FILE = "app.pem"

Convert = Callable[[str], Credentials]
"""From the code that GitHub sends back to the credentials of the new App."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Where the credentials lie, and where to install the App."""

    env_file: Path
    install_url: str


def registration_page(manifest: dict[str, Any], *, new_app_url: str, state: str) -> str:
    """The page whose button hands the manifest to GitHub."""
    document = html.escape(json.dumps(manifest), quote=True)
    return f"""<!doctype html><meta charset="utf-8"><title>Register Labelwright</title>
<form action="{html.escape(new_app_url, quote=True)}?state={state}" method="post">
<input type="hidden" name="manifest" value="{document}">
<p>GitHub will show the name of the App and ask you to confirm it.</p>
<button>Register the App on GitHub</button></form>"""


def save_credentials(found: Credentials, data_dir: Path) -> Registered:
    """Write the key and the settings that name it, readable by their owner only."""
    data_dir.mkdir(parents=True, exist_ok=True)
    key_file, env_file = data_dir / KEY_FILE, data_dir / ENV_FILE
    _write_private(key_file, found.private_key)
    lines = (
        f"LABELWRIGHT_GITHUB_APP_ID={found.app_id}",
        f"LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE={key_file}",
        f"LABELWRIGHT_WEBHOOK_SECRETS={found.webhook_secret}",
    )
    _write_private(env_file, "\n".join(lines) + "\n")
    return Registered(env_file, f"{found.html_url}/installations/new")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def registration_app(
    manifest: dict[str, Any],
    *,
    new_app_url: str,
    convert: Convert,
    data_dir: Path,
    done: Callable[[Registered | LabelwrightError], None],
) -> FastAPI:
    """The page, and the address that GitHub sends the browser back to. `done` is told how it ended."""
    state = secrets.token_urlsafe(16)
    app = FastAPI(openapi_url=None)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return registration_page(manifest, new_app_url=new_app_url, state=state)

    @app.get("/created", response_class=HTMLResponse)
    def created(code: str, came_with: Annotated[str, Query(alias="state")] = "") -> str:
        if not secrets.compare_digest(came_with, state):
            raise HTTPException(400, "this page did not ask for that App; start again")
        try:
            registered = save_credentials(convert(code), data_dir)
        except RetryLater as error:  # the code is good for an hour
            return f"<p>{html.escape(str(error))}. Reload this page in a minute.</p>"
        except LabelwrightError as error:
            done(error)
            return f"<p>{html.escape(str(error))}</p>"
        done(registered)
        link = html.escape(registered.install_url, quote=True)
        return f'<p>Done. Now <a href="{link}">install the App</a> on your repositories.</p>'

    return app


def register(
    *,
    webhook_url: str,
    api_url: str,
    web_url: str,
    organization: str | None,
    data_dir: Path,
    port: int,
    say: Callable[[str], None],
) -> Registered:
    """Serve the page until GitHub has made the App; returns where its credentials are.

    `web_url`: GitHub as browsers see it. `organization`: who owns the App; the user if None.

    Raises:
        UserError: an address, the data directory or the port is unusable, or GitHub did not make the App.
    """
    _check(webhook_url, data_dir)
    owner = f"organizations/{organization}/" if organization else ""
    home = f"http://127.0.0.1:{port}"
    manifest = app_manifest("Labelwright", webhook_url, webhook_url, redirect_url=f"{home}/created")
    finished: list[Registered | LabelwrightError] = []
    app = registration_app(
        manifest,
        new_app_url=f"{web_url.rstrip('/')}/{owner}settings/apps/new",
        convert=lambda code: convert_manifest(code, api_url),
        data_dir=data_dir,
        done=finished.append,
    )
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise UserError(f"port {port} is taken; pick another with --port") from error
    with listening:
        say(f"Open {home} in a browser on this machine, and confirm there.")
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not finished:
            thread.join(0.2)
        server.should_exit = True
        thread.join()
    if isinstance(finished[0], LabelwrightError):
        raise finished[0]
    return finished[0]


def _check(webhook_url: str, data_dir: Path) -> None:
    """Before there is an App: GitHub tells its credentials once, and there must be a place for them."""
    parts = urlsplit(webhook_url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(
            f"--webhook-url {webhook_url} is no address; write https://your.host/webhook"
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=data_dir).close()
    except OSError as error:
        raise UserError(
            f"LABELWRIGHT_DATA_DIR: cannot write to {data_dir} ({error.strerror})"
        ) from None

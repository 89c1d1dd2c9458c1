"""Registering the App by its manifest: the page, the way back, and what lies on disk afterwards."""

import re
import socket
import stat
import threading
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from bot.errors import UserError
from bot.github.manifest import app_manifest, convert_manifest
from bot.register import Registered, register, registration_app
from bot.sandbox.server import SandboxServer

MANIFEST = app_manifest("Labelwright", "https://bot.example", "https://bot.example/webhook")
NEW_APP = "https://github.example/settings/apps/new"


def _client(sandbox: SandboxServer, data_dir: Path, done: list[Registered]) -> TestClient:
    app = registration_app(
        MANIFEST,
        new_app_url=NEW_APP,
        convert=lambda code: convert_manifest(code, sandbox.url),
        data_dir=data_dir,
        done=done.append,
    )
    return TestClient(app, raise_server_exceptions=False)


def test_one_click_leaves_usable_credentials(sandbox: SandboxServer, tmp_path: Path) -> None:
    done: list[Registered] = []
    client = _client(sandbox, tmp_path, done)
    page = client.get("/").text
    assert f'action="{NEW_APP}?state=' in page
    state = re.findall(r"state=([\w-]+)", page)[0]

    answer = client.get(
        "/created", params={"code": sandbox.keep_manifest(MANIFEST), "state": state}
    )

    assert answer.status_code == 200
    env = dict(line.split("=", 1) for line in done[0].env_file.read_text().splitlines())
    key_file = Path(env["LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE"])
    assert key_file.read_text().startswith("-----BEGIN")
    assert env["LABELWRIGHT_GITHUB_APP_ID"].isdigit()
    assert env["LABELWRIGHT_WEBHOOK_SECRETS"]
    for path in (key_file, done[0].env_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_file.read_text() not in answer.text


def test_a_code_that_this_page_did_not_ask_for_is_refused(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    done: list[Registered] = []
    code = sandbox.keep_manifest(MANIFEST)
    answer = _client(sandbox, tmp_path, done).get("/created", params={"code": code, "state": "x"})
    assert answer.status_code == 400
    assert not done
    assert not list(tmp_path.iterdir())


def test_a_code_that_github_does_not_know_is_told_there_and_here(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    told: list[str] = []
    browsing: list[threading.Thread] = []

    def browse(words: str) -> None:
        home = words.split()[1]
        seen = threading.Thread(target=lambda: told.append(_confirm(sandbox, home, code="x")))
        browsing.append(seen)
        seen.start()

    with pytest.raises(UserError, match="start the set-up again"):
        register(
            webhook_url="https://bot.example/webhook",
            api_url=sandbox.url,
            web_url=sandbox.url,
            organization=None,
            data_dir=tmp_path,
            port=_free_port(),
            say=browse,
        )
    browsing[0].join()
    assert "start the set-up again" in told[0]


def test_the_whole_command_ends_when_github_has_made_the_app(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    def browse(words: str) -> None:
        threading.Thread(target=_confirm, args=(sandbox, words.split()[1]), daemon=True).start()

    registered = register(
        webhook_url="https://bot.example/webhook",
        api_url=sandbox.url,
        web_url=sandbox.url,
        organization=None,
        data_dir=tmp_path,
        port=_free_port(),
        say=browse,
    )
    assert registered.env_file.exists()
    assert registered.install_url.endswith("/installations/new")


def test_a_taken_port_is_named(sandbox: SandboxServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=str(port)):
            register(
                webhook_url="https://bot.example/webhook",
                api_url=sandbox.url,
                web_url=sandbox.url,
                organization=None,
                data_dir=tmp_path,
                port=port,
                say=lambda _: None,
            )


def _confirm(sandbox: SandboxServer, home: str, *, code: str = "") -> str:
    """What the browser shows in the end."""
    with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as browser:
        state = re.findall(r"state=([\w-]+)", browser.get(home).text)[0]
        code = code or sandbox.keep_manifest(MANIFEST)
        return browser.get(f"{home}/created", params={"code": code, "state": state}).text


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

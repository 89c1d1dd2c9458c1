"""The doctor: one finding a part, each telling what to do; a sick part hides no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.core.types import LabelSpec
from bot.doctor import examine
from bot.sandbox.server import SandboxServer
from bot.settings import Settings

Examine = Callable[..., dict[str, tuple[bool, str]]]

PARTS = ["webhook secret", "bundle", "database", "GitHub App"]


@pytest.fixture
def examined(
    sandbox: SandboxServer, template_url: str, tiny_bundle: Path, tmp_path: Path
) -> Examine:
    """Findings by part, for a deployment in good health but for the changes given."""
    healthy = {
        "data_dir": tmp_path,
        "DATABASE_URL": template_url,
        "bundle": tiny_bundle,
        "github_api_url": sandbox.url,
        "github_app_id": sandbox.app_id,
        "github_private_key": sandbox.private_key,
        "webhook_secrets": "one,two",
    }

    def examined(**changes: object) -> dict[str, tuple[bool, str]]:
        found = examine(Settings(**{**healthy, **changes}))  # type: ignore[arg-type]
        assert [finding.what for finding in found] == PARTS
        return {finding.what: (finding.ok, finding.says) for finding in found}

    return examined


def sick(found: dict[str, tuple[bool, str]]) -> list[str]:
    return [part for part, (ok, _) in found.items() if not ok]


def test_good_health(examined: Examine, sandbox: SandboxServer) -> None:
    sandbox.add_repository("acme/widget", labels=[LabelSpec("bug")])
    sandbox.install("acme", ["acme/widget"])
    found = examined()
    assert sick(found) == []
    assert found["webhook secret"] == (True, "2 in force")
    assert found["GitHub App"] == (True, "labelwright, installed on 1 accounts")


def test_no_secret(examined: Examine) -> None:
    found = examined(webhook_secrets="")
    assert sick(found) == ["webhook secret"]
    assert "LABELWRIGHT_WEBHOOK_SECRETS" in found["webhook secret"][1]


def test_no_bundle(examined: Examine, tmp_path: Path) -> None:
    found = examined(bundle=tmp_path / "absent")
    assert sick(found) == ["bundle"]
    assert "labelwright models build" in found["bundle"][1]


def test_a_changed_bundle(examined: Examine, tiny_bundle: Path, tmp_path: Path) -> None:
    for file in tiny_bundle.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "model.int8.onnx").open("ab") as model:
        model.write(b"more")
    assert sick(examined(bundle=tmp_path)) == ["bundle"]


def test_no_database(examined: Examine) -> None:
    found = examined(DATABASE_URL="postgresql://127.0.0.1:1/nothing")
    assert sick(found) == ["database"]
    assert "DATABASE_URL: cannot connect" in found["database"][1]


def test_no_app(examined: Examine) -> None:
    assert sick(examined(github_app_id=None)) == ["GitHub App"]


def test_another_apps_key(examined: Examine) -> None:
    found = examined(github_app_id=999)
    assert sick(found) == ["GitHub App"]
    assert "App's id, its private key" in found["GitHub App"][1]


def test_github_out_of_reach(examined: Examine) -> None:
    assert sick(examined(github_api_url="http://127.0.0.1:1")) == ["GitHub App"]


def test_missing_permissions_are_named(examined: Examine, sandbox: SandboxServer) -> None:
    sandbox.add_repository("acme/widget")
    sandbox.install("acme", permissions={"issues": "read", "metadata": "read"})
    found = examined()
    assert sick(found) == ["GitHub App"]
    assert "acme: contents: read" in found["GitHub App"][1]
    assert "acme: issues: write" in found["GitHub App"][1]


def test_a_suspended_installation_is_told(examined: Examine, sandbox: SandboxServer) -> None:
    sandbox.add_repository("acme/widget")
    sandbox.suspend(sandbox.install("acme"))
    assert "1 accounts, 1 suspended" in examined()["GitHub App"][1]

"""The manifest and its twin for people say the same; its conversion gives credentials."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import yaml

from bot.errors import RetryLater, UserError
from bot.github.manifest import app_manifest, convert_manifest

APP_YML = Path(__file__).parents[2] / "app.yml"

CONVERTED = {
    "id": 77,
    "slug": "labelwright",
    "name": "Labelwright",
    "html_url": "https://github.example/apps/labelwright",
    "client_id": "Iv1.x",
    "client_secret": "hush-client",
    "webhook_secret": "hush-webhook",
    "pem": "hush-pem",
}


def test_app_yml_is_the_manifest() -> None:
    twin = yaml.safe_load(APP_YML.read_text())
    made = app_manifest(twin["name"], twin["url"], twin["hook_attributes"]["url"])
    assert made == twin


def test_a_redirect_is_added_when_asked_for() -> None:
    made = app_manifest("a", "https://a", "https://a/webhook", redirect_url="https://a/done")
    assert made["redirect_url"] == "https://a/done"


def answering(status: int, body: object) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, json=body)

    return httpx.MockTransport(handler), seen


def test_a_code_is_traded_for_credentials_without_a_login() -> None:
    transport, seen = answering(201, CONVERTED)
    got = convert_manifest("a/b c", "https://api.example/v3", transport=transport)
    assert (got.app_id, got.slug, got.private_key) == (77, "labelwright", "hush-pem")
    assert seen[0].method == "POST"
    assert seen[0].url.raw_path == b"/v3/app-manifests/a%2Fb%20c/conversions"
    assert "authorization" not in seen[0].headers


def test_credentials_hide_their_secrets() -> None:
    transport, _ = answering(201, CONVERTED)
    assert "hush" not in repr(convert_manifest("c", "https://api.example", transport=transport))


@pytest.mark.parametrize("status", [404, 422])
def test_a_spent_code_is_told_to_the_person(status: int) -> None:
    transport, _ = answering(status, {"message": "Not Found"})
    with pytest.raises(UserError, match="within an hour"):
        convert_manifest("c", "https://api.example", transport=transport)


def test_an_outage_is_no_fault_of_the_code() -> None:
    transport, _ = answering(502, {})
    with pytest.raises(RetryLater):
        convert_manifest("c", "https://api.example", transport=transport)

"""The judge itself: it lets through what GitHub describes and nothing else."""

from __future__ import annotations

import json

import httpx
import pytest

from bot.sandbox.server import SandboxServer
from tests.contract.openapi import (
    ContractError,
    Validated,
    validate_exchange,
    validate_webhook,
)

LABELS = "https://api.github.com/repos/octo/tracker/issues/1/labels"
JSON = {"content-type": "application/json"}
LABEL = {
    "id": 1,
    "node_id": "x",
    "url": "https://example.org",
    "name": "kind/bug",
    "description": None,
    "color": "ededed",
    "default": False,
}


def answer(body: object) -> bytes:
    return json.dumps(body).encode()


def test_a_good_exchange_passes() -> None:
    sent = answer({"labels": ["kind/bug"]})
    validate_exchange("POST", LABELS, JSON, sent, 200, JSON, answer([LABEL]))


def test_a_bare_list_of_labels_is_refused() -> None:
    with pytest.raises(ContractError, match="labels"):
        validate_exchange("POST", LABELS, JSON, answer(["bug"]), 200, JSON, answer([LABEL]))


def test_an_answer_that_lacks_a_key_is_refused() -> None:
    short = {key: value for key, value in LABEL.items() if key != "color"}
    with pytest.raises(ContractError, match="color"):
        validate_exchange("GET", LABELS, {}, b"", 200, JSON, answer([short]))


def test_an_unknown_path_is_refused() -> None:
    with pytest.raises(ContractError, match="teapot"):
        validate_exchange("GET", "https://api.github.com/teapot", {}, b"", 200, JSON, b"{}")


def test_a_wrong_query_is_refused() -> None:
    url = "https://api.github.com/repos/octo/tracker/issues?state=ajar"
    with pytest.raises(ContractError, match="ajar"):
        validate_exchange("GET", url, {}, b"", 200, JSON, b"[]")


def test_comments_are_edited_and_reacted_to_as_described() -> None:
    here = "https://api.github.com/repos/octo/tracker/issues/comments/7"
    made = answer({"id": 1, "content": "+1"})
    validate_exchange("POST", f"{here}/reactions", JSON, answer({"content": "+1"}), 201, JSON, made)
    with pytest.raises(ContractError, match="nod"):
        validate_exchange(
            "POST", f"{here}/reactions", JSON, answer({"content": "nod"}), 0, JSON, b""
        )
    validate_exchange("PATCH", here, JSON, answer({"body": "x"}), 0, JSON, b"")
    with pytest.raises(ContractError, match="body"):
        validate_exchange("PATCH", here, JSON, answer({"text": "x"}), 0, JSON, b"")


def test_slashes_in_label_names_and_paths_are_one_parameter() -> None:
    url = "https://api.github.com/repos/octo/tracker/labels/kind%2Fbug"
    validate_exchange("GET", url, {}, b"", 200, JSON, answer(LABEL))


def test_an_error_needs_its_message() -> None:
    told = {"message": "Server Error", "documentation_url": "https://docs.github.com"}
    validate_exchange("GET", LABELS, {}, b"", 502, JSON, answer(told))
    with pytest.raises(ContractError, match="message"):
        validate_exchange("GET", LABELS, {}, b"", 502, JSON, answer({}))


def test_an_incomplete_webhook_is_refused() -> None:
    with pytest.raises(ContractError, match="repository"):
        validate_webhook("issues", "opened", answer({"action": "opened"}))
    with pytest.raises(ContractError, match="commits"):
        validate_webhook("push", None, answer({"ref": "refs/heads/main"}))


def test_a_client_can_be_judged_on_its_way(sandbox: SandboxServer) -> None:
    sandbox.add_repository("octo/tracker")
    sandbox.open_issue("octo/tracker", title="It breaks")
    credential = {"Authorization": f"Bearer {sandbox.user_token('octo')}"}
    transport = Validated()
    with httpx.Client(base_url=sandbox.url, headers=credential, transport=transport) as client:
        labels = "/repos/octo/tracker/issues/1/labels"
        assert client.post(labels, json={"labels": ["bug"]}).status_code == 200
        with pytest.raises(ContractError):
            client.post(labels, json=["bug"])
        with pytest.raises(ContractError):
            client.put(labels, json={"labels": []})
    assert transport.judged == 1

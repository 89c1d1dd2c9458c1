"""Labels in the sandbox behave as on GitHub, its surprises included."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.core.types import LabelSpec
from bot.sandbox.handling import Outgoing
from bot.sandbox.sandbox import Sandbox
from tests.fixtures.sandbox import ask

REPO = "octo/tracker"
LABELS = f"/repos/{REPO}/issues/1/labels"


@pytest.fixture
def world() -> Sandbox:
    sandbox = Sandbox()
    sandbox.add_repository(REPO, labels=[LabelSpec("bug", "Broken"), LabelSpec("kind/docs")])
    sandbox.open_issue(REPO, title="It breaks")
    return sandbox


@pytest.fixture
def owner(world: Sandbox) -> str:
    return world.user_token("octo")


def names(answer: Outgoing) -> list[str]:
    assert answer.status == 200, answer.content
    return [label["name"] for label in json.loads(answer.content)]


def post(world: Sandbox, owner: str, labels: list[Any]) -> Outgoing:
    return ask(world, "POST", LABELS, {"labels": labels}, credential=owner)


def test_adding_is_additive_and_blind_to_case(world: Sandbox, owner: str) -> None:
    assert names(post(world, owner, ["BUG"])) == ["bug"]
    assert names(post(world, owner, ["bug", "Kind/Docs"])) == ["bug", "kind/docs"]
    assert [event["event"] for event in world.events(REPO, 1)] == ["labeled", "labeled"]


def test_adding_an_absent_label_creates_it(world: Sandbox, owner: str) -> None:
    assert names(post(world, owner, [{"name": "new"}])) == ["new"]
    assert "new" in world.labels(REPO)


def test_a_recreated_label_has_another_id(world: Sandbox, owner: str) -> None:
    before = world.labels(REPO)["bug"]
    world.delete_label(REPO, "bug")
    answer = post(world, owner, ["bug"])
    assert json.loads(answer.content)[0]["id"] != before


def test_a_renamed_label_keeps_its_id_and_its_issues(world: Sandbox, owner: str) -> None:
    before = world.labels(REPO)["bug"]
    world.label(REPO, 1, "bug")
    world.edit_label(REPO, "bug", new_name="kind/bug")
    assert world.labels(REPO)["kind/bug"] == before
    assert names(ask(world, "GET", LABELS, credential=owner)) == ["kind/bug"]
    assert ask(world, "GET", f"/repos/{REPO}/labels/bug", credential=owner).status == 404


def test_a_deleted_label_leaves_its_issues(world: Sandbox) -> None:
    world.label(REPO, 1, "bug")
    world.delete_label(REPO, "bug")
    assert world.issue_labels(REPO, 1) == {}


@pytest.mark.parametrize("spelled", ["kind%2Fdocs", "kind/docs", "KIND%2fDOCS"])
def test_removing_names_one_label(world: Sandbox, owner: str, spelled: str) -> None:
    world.label(REPO, 1, "bug")
    world.label(REPO, 1, "kind/docs")
    answer = ask(world, "DELETE", f"{LABELS}/{spelled}", credential=owner)
    assert names(answer) == ["bug"]
    again = ask(world, "DELETE", f"{LABELS}/{spelled}", credential=owner)
    assert again.status == 404


def test_labels_of_a_form_are_the_authors(world: Sandbox) -> None:
    number = world.open_issue(REPO, title="By form", author="ann", labels=["bug"])
    assert world.issue_labels(REPO, number) == {"bug": "ann"}


@pytest.mark.parametrize("wrong", [[], [{"rationale": "no name"}], [3], [" "], ["x" * 51]])
def test_nonsense_is_refused(world: Sandbox, owner: str, wrong: list[Any]) -> None:
    assert post(world, owner, wrong).status == 422


def test_suggesting_where_the_repository_has_it(world: Sandbox, owner: str) -> None:
    world.state.repository(REPO).suggestions = "on"
    entry = {"name": "bug", "suggest": True, "confidence": "high", "rationale": "A trace"}
    assert names(post(world, owner, [entry, "kind/docs"])) == ["kind/docs"]
    listed = f"/repos/{REPO}/issues/1/suggestions"
    (pending,) = json.loads(ask(world, "GET", listed, credential=owner).content)
    assert (pending["target_value"], pending["confidence"]) == ("bug", "HIGH")
    approved = ask(world, "POST", f"{listed}/{pending['id']}/approve", credential=owner)
    assert json.loads(approved.content)["state"] == "approved"
    assert world.issue_labels(REPO, 1)["bug"] == "octo"
    assert world.events(REPO, 1)[-1]["intent"] == {"rationale": "A trace", "confidence": "HIGH"}


def test_a_dismissed_suggestion_leaves_nothing(world: Sandbox, owner: str) -> None:
    world.state.repository(REPO).suggestions = "on"
    post(world, owner, [{"name": "bug", "suggest": True}])
    listed = f"/repos/{REPO}/issues/1/suggestions"
    (pending,) = json.loads(ask(world, "GET", listed, credential=owner).content)
    ask(world, "POST", f"{listed}/{pending['id']}/dismiss", credential=owner)
    assert world.issue_labels(REPO, 1) == {}
    assert json.loads(ask(world, "GET", listed, credential=owner).content) == []
    settled = json.loads(ask(world, "GET", f"{listed}?state=dismissed", credential=owner).content)
    assert [one["state"] for one in settled] == ["dismissed"]
    again = ask(world, "POST", f"{listed}/{pending['id']}/approve", credential=owner)
    assert again.status == 422


def test_suggesting_where_the_repository_lacks_it(world: Sandbox, owner: str) -> None:
    assert post(world, owner, [{"name": "bug", "suggest": True}]).status == 422
    listed = f"/repos/{REPO}/issues/1/suggestions"
    assert ask(world, "GET", listed, credential=owner).status == 404
    assert world.issue_labels(REPO, 1) == {}
    world.state.repository(REPO).suggestions = "ignored"
    assert names(post(world, owner, [{"name": "bug", "suggest": True}])) == ["bug"]


@pytest.mark.parametrize("wrong", [{"rationale": "x" * 281}, {"confidence": "sure"}])
def test_a_suggestion_has_its_bounds(world: Sandbox, owner: str, wrong: dict[str, str]) -> None:
    world.state.repository(REPO).suggestions = "on"
    assert post(world, owner, [{"name": "bug", "suggest": True, **wrong}]).status == 422


def test_history_can_be_seeded(world: Sandbox) -> None:
    day = datetime(2024, 5, 1, tzinfo=UTC)
    number = world.seed_issue(REPO, title="Old", body=None, created_at=day, labels=["bug"])
    world.seed_label_event(REPO, number, "bug", actor="tina", at=day.replace(day=2), added=False)
    world.seed_label_event(REPO, number, "kind/docs", actor="triage[bot]", at=day.replace(day=3))
    told = [
        (e["event"], e["label"]["name"], e["actor"]["type"]) for e in world.events(REPO, number)
    ]
    assert told == [
        ("labeled", "bug", "User"),
        ("unlabeled", "bug", "User"),
        ("labeled", "kind/docs", "Bot"),
    ]

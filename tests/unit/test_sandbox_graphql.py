"""The sandbox tells the text as filed through GraphQL, and refuses what it does not know."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.sandbox.queries import Field, QueryError, parse
from bot.sandbox.sandbox import Sandbox
from tests.fixtures.sandbox import ask

REPO = "octo/tracker"
EDITS = """
query Filed($owner: String!, $number: Int!, $size: Int = 1, $after: String) {
  repository(owner: $owner, name: "tracker") {
    one: issue(number: $number) {
      title  # as it is now
      userContentEdits(first: $size, after: $after) {
        totalCount
        nodes { diff, editedAt, editor { ... on User { login } } }
        pageInfo { hasNextPage endCursor }
      }
      timelineItems(first: 10, itemTypes: [RENAMED_TITLE_EVENT]) {
        nodes { __typename ... on RenamedTitleEvent { previousTitle currentTitle } }
      }
    }
  }
}
"""


@pytest.fixture
def world() -> Sandbox:
    sandbox = Sandbox()
    sandbox.add_repository(REPO)
    number = sandbox.open_issue(REPO, title="Brokn", body="First", author="ann")
    sandbox.edit_issue(REPO, number, body="Second", actor="ann")
    sandbox.edit_issue(REPO, number, title="Broken", body="Third", actor="tina")
    return sandbox


def query(world: Sandbox, text: str, **variables: object) -> Any:
    credential = world.user_token("octo")
    sent = {"query": text, "variables": variables}
    answer = ask(world, "POST", "/graphql", sent, credential=credential)
    assert answer.status == 200
    return json.loads(answer.content)


def test_versions_come_newest_first_the_filed_one_last(world: Sandbox) -> None:
    told = query(world, EDITS, owner="octo", number=1, size=2)
    issue = told["data"]["repository"]["one"]
    edits = issue["userContentEdits"]
    assert issue["title"] == "Broken"
    assert [(one["diff"], one["editor"]["login"]) for one in edits["nodes"]] == [
        ("Third", "tina"),
        ("Second", "ann"),
    ]
    assert edits["totalCount"] == 3
    assert edits["pageInfo"]["hasNextPage"] is True
    onward = edits["pageInfo"]["endCursor"]
    rest = query(world, EDITS, owner="octo", number=1, size=2, after=onward)
    (filed,) = rest["data"]["repository"]["one"]["userContentEdits"]["nodes"]
    assert filed["diff"] == "First"
    assert issue["timelineItems"]["nodes"] == [
        {
            "__typename": "RenamedTitleEvent",
            "previousTitle": "Brokn",
            "currentTitle": "Broken",
        }
    ]


def test_an_issue_never_edited_has_no_versions(world: Sandbox) -> None:
    world.open_issue(REPO, title="Calm", body="Once")
    told = query(world, EDITS, owner="octo", number=2)
    assert told["data"]["repository"]["one"]["userContentEdits"]["nodes"] == []


def test_a_seeded_issue_can_have_been_filed_otherwise(world: Sandbox) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    world.seed_issue(
        REPO, title="Now", body="Now", created_at=moment, number=9, filed_as=("Then", "Then")
    )
    told = query(world, EDITS, owner="octo", number=9, size=5)["data"]["repository"]["one"]
    assert [one["diff"] for one in told["userContentEdits"]["nodes"]] == ["Now", "Then"]
    assert told["timelineItems"]["nodes"][0]["previousTitle"] == "Then"


def test_many_issues_at_once(world: Sandbox) -> None:
    text = """{ repository(owner: "octo", name: "tracker") {
        issues(first: 5) { nodes { number title } } } }"""
    nodes = query(world, text)["data"]["repository"]["issues"]["nodes"]
    assert nodes == [{"number": 1, "title": "Broken"}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{ repository(owner: "octo", name: "nowhere") { id } }', "Could not resolve"),
        ('{ repository(owner: "octo", name: "tracker") { stars } }', "'stars' doesn't exist"),
        (
            '{ repository(owner: "octo", name: "tracker") { issue(number: 7) { id } } }',
            "number of 7",
        ),
        ("{ viewer { login } }", "'viewer' doesn't exist"),
        ("mutation { addStar }", "Expected"),
        ("{ repository(", "Unexpected end"),
        ("{ a } }", "after the query"),
        ("{ ? }", "Unexpected text"),
    ],
)
def test_what_it_does_not_know_it_says(world: Sandbox, text: str, said: str) -> None:
    told = query(world, text)
    assert said in told["errors"][0]["message"]


def test_private_text_is_not_told_to_others(world: Sandbox) -> None:
    world.add_repository("octo/secret", private=True)
    credential = world.user_token("anybody")
    sent = {"query": '{ repository(owner: "octo", name: "secret") { id } }'}
    answer = ask(world, "POST", "/graphql", sent, credential=credential)
    assert json.loads(answer.content)["errors"][0]["type"] == "NOT_FOUND"
    assert ask(world, "POST", "/graphql", sent).status == 401


def test_the_reader_fills_in_values() -> None:
    (field,) = parse(
        'query($a: [Int!]! = [1, 2]) { f(x: $a, y: {z: "q\\"u"}, w: ENUM, n: null) }', {}
    )
    assert field == Field("f", "f", {"x": [1, 2], "y": {"z": 'q"u'}, "w": "ENUM", "n": None})
    with pytest.raises(QueryError, match="Expected a name"):
        parse("{ 3 }", {})

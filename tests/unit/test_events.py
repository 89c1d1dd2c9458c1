"""Webhook bodies -> events: what is passed over, what is refused, whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import GiveUp
from bot.github.events import _PARSERS, parse_event
from bot.github.occurrences import (
    IssueOpened,
    Unhandled,
)
from tests.unit.webhook_bodies import AT, US, issue, parsed, payload, user


@pytest.mark.parametrize(
    ("event", "action"),
    [("issues", "typed"), ("issues", "field-added"), ("star", "created"), ("ping", ""), ("", "")],
)
def test_what_we_do_not_know_is_unhandled(event: str, action: str) -> None:
    assert parsed(event, {"action": action}) == Unhandled(event, action)


@pytest.mark.parametrize(
    ("event", "body", "key"),
    [
        ("issues", payload("opened", issue=issue(number=None)), "issue.number"),
        ("issues", payload("opened", issue=issue(number=True)), "issue.number"),
        ("issues", payload("opened", issue=issue(number=2**63)), "issue.number"),
        ("issues", payload("opened", issue=issue(title=5)), "issue.title"),
        ("issues", payload("opened", issue=issue(created_at="soon")), "issue.created_at"),
        ("issues", payload("opened", issue=issue(), repository={}), "repository.id"),
        ("issues", payload("labeled", issue=issue()), "label.id"),
        ("label", payload("created", label={"id": 1}), "label.name"),
        ("repository", payload("renamed"), "changes.repository.name.from"),
        ("repository", payload("transferred"), "changes.owner.from"),
        ("push", payload(), "ref"),
        ("installation", {"action": "created"}, "installation.id"),
        (
            "installation_repositories",
            payload("added", repositories_added=[{"id": 1}]),
            "repositories_added.0.full_name",
        ),
    ],
)
def test_a_missing_key_is_named(event: str, body: dict[str, Any], key: str) -> None:
    with pytest.raises(GiveUp, match=key.replace(".", r"\.")):
        parsed(event, body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(GiveUp):
        parse_event("issues", body)


def test_text_that_postgresql_would_refuse_is_cleaned() -> None:
    raw = json.dumps(payload("opened", issue=issue(title="a\x00b", body="\ud800 end")))
    got = parse_event("issues", raw.encode())
    assert isinstance(got, IssueOpened)
    assert (got.issue.title, got.issue.body) == ("ab", "? end")


KEYS = st.sampled_from(
    sorted(
        {*payload(), *issue(), *user()}
        | {"action", "label", "changes", "name", "from", "account", "owner", "commits", "ref"}
        | {"repositories", "repositories_added", "repositories_removed"}
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
EVERY_KIND = sorted(_PARSERS)


def event_or_refusal(event: str, body: dict[str, Any]) -> str:
    """Where it ends: in an event or in the words of a GiveUp. Anything else fails the test."""
    try:
        return type(parse_event(event, json.dumps(body).encode(), us=US)).__module__
    except GiveUp as refusal:
        return str(refusal)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(EVERY_KIND), body=st.dictionaries(KEYS, ANY_JSON, max_size=8))
def test_arbitrary_json_gives_an_event_or_gives_up(
    kind: tuple[str, str], body: dict[str, Any]
) -> None:
    event, action = kind
    end = event_or_refusal(event, {**body, "action": action})
    assert end == "bot.github.occurrences" or "the key" in end


def mutilated() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """A whole payload with one key somewhere replaced by anything."""
    whole = payload(
        issue=issue(),
        label={"id": 11, "name": "bug", "color": "0"},
        comment={"id": 8, "body": "x", "user": user(), **AT},
        changes={"title": {"from": "x"}, "repository": {"name": {"from": "x"}}},
        commits=[{"added": ["x"]}],
        ref="refs/heads/main",
        repositories=[{"id": 1, "full_name": "a/b"}],
    )
    paths = [(key,) for key in whole] + [
        (key, inner) for key, value in whole.items() if isinstance(value, dict) for inner in value
    ]

    def hurt(path: tuple[str, ...], junk: object, kind: tuple[str, str]) -> Any:
        body = json.loads(json.dumps(whole))
        place = body
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = junk
        return kind[0], {**body, "action": kind[1]}

    return st.builds(hurt, st.sampled_from(paths), ANY_JSON, st.sampled_from(EVERY_KIND))


@settings(max_examples=150, deadline=None)
@given(mutilated())
def test_one_bad_key_never_breaks_more_than_a_give_up(case: tuple[str, dict[str, Any]]) -> None:
    end = event_or_refusal(*case)
    assert end == "bot.github.occurrences" or "the key" in end

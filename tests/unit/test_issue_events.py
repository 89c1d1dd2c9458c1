"""Webhooks of issues, labels on them and comments -> events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.github.occurrences import (
    CommentCreated,
    CommentEdited,
    IssueClosed,
    IssueDeleted,
    IssueEdited,
    IssueOpened,
    IssueReopened,
    IssueTransferred,
    LabelChanged,
)
from tests.unit.webhook_bodies import AT, US, issue, parsed, payload, user


def test_an_opened_issue_carries_its_text_and_its_place() -> None:
    got = parsed("issues", payload("opened", issue=issue(body="steps")))

    assert isinstance(got, IssueOpened)
    assert (got.installation_id, got.repository.id, got.repository.full_name) == (
        42,
        7,
        "acme/widget",
    )
    assert (got.issue.number, got.issue.title, got.issue.body) == (3, "It crashes", "steps")
    assert got.issue.labels == {"bug"}
    assert got.issue.created_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert (got.issue.author, got.issue.author_is_bot) == ("ada", False)
    assert not got.issue.is_pull_request


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("edited", IssueEdited),
        ("closed", IssueClosed),
        ("reopened", IssueReopened),
        ("deleted", IssueDeleted),
        ("transferred", IssueTransferred),
    ],
)
def test_the_other_turns_of_an_issue_have_their_own_classes(action: str, kind: type) -> None:
    assert type(parsed("issues", payload(action, issue=issue()))) is kind


def test_a_pull_request_is_told_from_an_issue() -> None:
    got = parsed("issues", payload("opened", issue=issue(pull_request={"url": "x"})))
    assert got.issue.is_pull_request


def test_a_deleted_author_is_a_ghost_and_no_bot() -> None:
    got = parsed("issues", payload("opened", issue=issue(user=None)))
    assert (got.issue.author, got.issue.author_is_bot) == ("ghost", False)


def labeled(sender: dict[str, Any], *, action: str = "labeled", **changes: Any) -> LabelChanged:
    label = {"id": 11, "name": "bug", "color": "d73a4a", "description": "broken"}
    got = parsed("issues", payload(action, issue=issue(**changes), label=label, sender=sender))
    assert isinstance(got, LabelChanged)
    return got


def test_a_label_event_knows_who_set_it() -> None:
    kinds = {
        login: labeled(user(login, kind)).label_event(US).actor_kind
        for login, kind in [
            ("ada", "User"),
            ("labelwright[bot]", "Bot"),
            ("stale[bot]", "Bot"),
            ("triager", "Bot"),
            ("odd[bot]", "User"),
        ]
    }
    assert kinds == {
        "ada": "human",
        "labelwright[bot]": "us",
        "stale[bot]": "bot",
        "triager": "bot",
        "odd[bot]": "bot",
    }


def test_without_an_identity_we_are_a_bot_like_others() -> None:
    label = {"id": 11, "name": "bug", "color": "d73a4a"}
    body = payload("labeled", issue=issue(), label=label, sender=user("labelwright[bot]", "Bot"))
    got = parsed("issues", body, us=None)
    assert not got.sender.is_us
    assert got.label_event().actor_kind == "bot"


def test_a_label_in_the_issues_own_second_by_its_author_came_with_a_form() -> None:
    at_once = "2026-05-01T10:00:00Z"
    assert labeled(user(), updated_at=at_once).label_event(US).actor_kind == "form"
    assert labeled(user("eve"), updated_at=at_once).label_event(US).actor_kind == "human"
    assert labeled(user()).label_event(US).actor_kind == "human"


def test_a_removal_is_never_a_forms() -> None:
    got = labeled(user(), action="unlabeled", updated_at="2026-05-01T10:00:00Z")
    assert not got.added
    assert got.label_event(US).actor_kind == "human"


def test_a_comment_names_its_author_and_when() -> None:
    comment = {"id": 8, "body": "/label bug", "user": user("eve"), **AT}
    got = parsed("issue_comment", payload("created", issue=issue(), comment=comment))
    assert isinstance(got, CommentCreated)
    assert (got.comment_id, got.body, got.author) == (8, "/label bug", "eve")
    assert got.at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_texts_stay_out_of_repr() -> None:
    comment = {"id": 8, "body": "secret words", "user": user("eve"), **AT}
    got = parsed("issue_comment", payload("created", issue=issue(title="hush"), comment=comment))
    assert "secret words" not in repr(got)
    assert "hush" not in repr(got)


def test_an_edited_comment_tells_who_wrote_it_first() -> None:
    author = user("labelwright[bot]", kind="Bot")
    edited = "2026-05-01T11:00:00Z"
    comment = {"id": 8, "body": "- [x] bug", "user": author, **AT, "updated_at": edited}
    got = parsed("issue_comment", payload("edited", issue=issue(), comment=comment))
    assert isinstance(got, CommentEdited)
    assert (got.author, got.comment_id) == ("labelwright[bot]", 8)
    assert got.at == datetime(2026, 5, 1, 11, tzinfo=UTC)

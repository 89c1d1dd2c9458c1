"""Webhook bodies -> events: what we use, what we pass over, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import GiveUp
from bot.github.events import (
    _PARSERS,
    AppIdentity,
    CommentCreated,
    CommentEdited,
    InstallationCreated,
    InstallationDeleted,
    InstallationSuspended,
    IssueClosed,
    IssueDeleted,
    IssueEdited,
    IssueOpened,
    IssueReopened,
    IssueTransferred,
    LabelChanged,
    LabelDefinitionChanged,
    PermissionsAccepted,
    Push,
    RepositoriesAdded,
    RepositoriesRemoved,
    RepositoryArchived,
    RepositoryDeleted,
    RepositoryRenamed,
    RepositoryVisibilityChanged,
    Unhandled,
    parse_event,
)

US = AppIdentity(id=77, slug="labelwright")


def user(login: str = "ada", kind: str = "User") -> dict[str, Any]:
    return {"login": login, "id": 5, "type": kind}


def issue(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": 901,
        "number": 3,
        "title": "It crashes",
        "body": None,
        "user": user(),
        "labels": [{"id": 11, "name": "bug", "color": "d73a4a"}],
        "state": "open",
        "locked": False,
        "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:05:00Z",
        "closed_at": None,
        "author_association": "CONTRIBUTOR",
    }
    return {**plain, **changes}


def payload(action: str | None = None, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "installation": {"id": 42, "account": {"login": "acme"}},
        "repository": {
            "id": 7,
            "full_name": "acme/widget",
            "private": True,
            "default_branch": "main",
        },
        "sender": user(),
    }
    if action is not None:
        plain["action"] = action
    return {**plain, **more}


def parsed(event: str, body: dict[str, Any], us: AppIdentity | None = US) -> Any:
    return parse_event(event, json.dumps(body).encode(), us=us)


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


def test_an_edit_tells_the_half_that_changed() -> None:
    body = payload("edited", issue=issue(), changes={"title": {"from": "Crash"}})
    got = parsed("issues", body)
    assert isinstance(got, IssueEdited)
    assert (got.old_title, got.old_body) == ("Crash", None)


@pytest.mark.parametrize("was", [None, ""])
def test_a_body_filled_in_later_is_an_edit_from_nothing(was: str | None) -> None:
    got = parsed("issues", payload("edited", issue=issue(), changes={"body": {"from": was}}))
    assert (got.old_title, got.old_body) == (None, "")


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


AT = {"created_at": "2026-05-01T10:00:00Z"}


def test_a_comment_names_issue_author_and_standing() -> None:
    comment = {
        "id": 8,
        "body": "/label bug",
        "user": user("eve"),
        "author_association": "MEMBER",
        **AT,
    }
    got = parsed("issue_comment", payload("created", issue=issue(), comment=comment))
    assert isinstance(got, CommentCreated)
    assert (got.comment_id, got.body, got.author_association) == (8, "/label bug", "MEMBER")
    assert got.at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_texts_stay_out_of_repr() -> None:
    comment = {"id": 8, "body": "secret words", "user": user("eve"), **AT}
    got = parsed("issue_comment", payload("created", issue=issue(title="hush"), comment=comment))
    assert "secret words" not in repr(got)
    assert "hush" not in repr(got)


def test_a_renamed_label_tells_its_old_name() -> None:
    label = {"id": 11, "name": "kind/bug", "color": "d73a4a", "description": None}
    got = parsed("label", payload("edited", label=label, changes={"name": {"from": "bug"}}))
    assert isinstance(got, LabelDefinitionChanged)
    assert (got.label.github_id, got.label.name, got.old_name) == (11, "kind/bug", "bug")
    recoloured = parsed("label", payload("edited", label=label, changes={"color": {"from": "0"}}))
    assert recoloured.old_name is None


def test_a_renamed_repository_tells_its_old_full_name() -> None:
    changes = {"repository": {"name": {"from": "gadget"}}}
    got = parsed("repository", payload("renamed", changes=changes))
    assert isinstance(got, RepositoryRenamed)
    assert (got.old_full_name, got.transferred) == ("acme/gadget", False)


@pytest.mark.parametrize("kind", ["user", "organization"])
def test_a_transferred_repository_tells_its_old_owner(kind: str) -> None:
    got = parsed(
        "repository",
        payload("transferred", changes={"owner": {"from": {kind: {"login": "oldco"}}}}),
    )
    assert (got.old_full_name, got.transferred) == ("oldco/widget", True)


def test_the_other_turns_of_a_repository() -> None:
    assert isinstance(parsed("repository", payload("deleted")), RepositoryDeleted)
    assert parsed("repository", payload("privatized")) == RepositoryVisibilityChanged(
        **_place(), private=True
    )
    assert not parsed("repository", payload("publicized")).private
    assert parsed("repository", payload("archived")) == RepositoryArchived(
        **_place(), archived=True
    )
    assert not parsed("repository", payload("unarchived")).archived


def _place() -> dict[str, Any]:
    got = parsed("repository", payload("deleted"))
    return {
        "installation_id": got.installation_id,
        "sender": got.sender,
        "repository": got.repository,
    }


def push(ref: str = "refs/heads/main", **more: Any) -> Push:
    got = parsed("push", payload(ref=ref, **more))
    assert isinstance(got, Push)
    return got


@pytest.mark.parametrize("change", ["added", "modified", "removed"])
def test_a_push_tells_whether_it_touched_the_rules(change: str) -> None:
    assert push(commits=[{change: [".github/labelwright.yml"]}]).touches_rules
    assert not push(commits=[{change: ["docs/labelwright.yml"]}]).touches_rules


def test_a_push_that_hides_its_commits_counts_as_touching() -> None:
    assert push(commits=[], forced=True).touches_rules
    assert push(commits=[{}] * 2048).touches_rules
    assert not push(commits=[{}] * 2047).touches_rules


def test_a_push_knows_the_default_branch() -> None:
    assert push().on_default_branch
    assert not push("refs/heads/feature/main").on_default_branch


def test_an_installation_brings_its_repositories_and_grants() -> None:
    body = payload(
        "created",
        installation={
            "id": 42,
            "account": {"login": "acme"},
            "permissions": {"issues": "write", "odd": None},
        },
        repositories=[{"id": 7, "full_name": "acme/widget", "private": False}],
    )
    got = parsed("installation", body)
    assert isinstance(got, InstallationCreated)
    assert (got.account, got.permissions) == ("acme", {"issues": "write"})
    assert [row.full_name for row in got.repositories] == ["acme/widget"]


def test_the_other_turns_of_an_installation() -> None:
    assert isinstance(parsed("installation", payload("deleted")), InstallationDeleted)
    suspended = parsed("installation", payload("suspend"))
    assert isinstance(suspended, InstallationSuspended)
    assert suspended.suspended
    assert not parsed("installation", payload("unsuspend")).suspended
    accepted = parsed("installation", payload("new_permissions_accepted"))
    assert isinstance(accepted, PermissionsAccepted)


def test_repositories_come_and_go() -> None:
    rows = [{"id": 9, "full_name": "acme/new", "private": True}]
    added = parsed("installation_repositories", payload("added", repositories_added=rows))
    removed = parsed("installation_repositories", payload("removed", repositories_removed=rows))
    assert isinstance(added, RepositoriesAdded)
    assert isinstance(removed, RepositoriesRemoved)
    assert [row.id for row in added.repositories] == [9]
    assert [row.id for row in removed.repositories] == [9]


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


def test_an_edited_comment_tells_who_wrote_it_first() -> None:
    author = user("labelwright[bot]", kind="Bot")
    edited = "2026-05-01T11:00:00Z"
    comment = {"id": 8, "body": "- [x] bug", "user": author, **AT, "updated_at": edited}
    got = parsed("issue_comment", payload("edited", issue=issue(), comment=comment))
    assert isinstance(got, CommentEdited)
    assert (got.author, got.comment_id) == ("labelwright[bot]", 8)
    assert got.at == datetime(2026, 5, 1, 11, tzinfo=UTC)

"""The sandbox lets in whom GitHub would let in, and refuses the others in GitHub's words."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from bot.sandbox.registration import new_key
from bot.sandbox.sandbox import Sandbox
from tests.fixtures.sandbox import ask

REPO = "octo/tracker"


class Wrist:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Wrist:
    return Wrist()


@pytest.fixture
def world(clock: Wrist) -> Sandbox:
    sandbox = Sandbox(clock=clock)
    sandbox.add_repository(REPO, private=True)
    sandbox.add_repository("octo/open")
    sandbox.add_repository("octo/closed", private=True)
    return sandbox


def app_jwt(sandbox: Sandbox, *, issued: int = -60, expires: int = 540, key: str = "") -> str:
    now = int(time.time())
    claims = {"iat": now + issued, "exp": now + expires, "iss": str(sandbox.app_id)}
    return jwt.encode(claims, key or sandbox.private_key, algorithm="RS256")


def token(sandbox: Sandbox, installation: int, **wanted: object) -> str:
    path = f"/app/installations/{installation}/access_tokens"
    answer = ask(sandbox, "POST", path, wanted, credential=app_jwt(sandbox))
    assert answer.status == 201
    return str(json.loads(answer.content)["token"])


def message(content: bytes) -> str:
    return str(json.loads(content)["message"])


def test_a_good_jwt_is_the_app(world: Sandbox) -> None:
    answer = ask(world, "GET", "/app", credential=app_jwt(world))
    assert answer.status == 200
    assert json.loads(answer.content)["slug"] == "labelwright"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"expires": 700}, "too far in the future"),
        ({"expires": -1}, "must be a numeric value representing the future time"),
        ({"issued": 30}, "'Issued at' claim"),
    ],
)
def test_a_jwt_out_of_its_time_is_refused(world: Sandbox, wrong: dict[str, int], said: str) -> None:
    answer = ask(world, "GET", "/app", credential=app_jwt(world, **wrong))
    assert answer.status == 401
    assert said in message(answer.content)


def test_a_jwt_signed_by_another_key_is_refused(world: Sandbox) -> None:
    answer = ask(world, "GET", "/app", credential=app_jwt(world, key=new_key()))
    assert (answer.status, message(answer.content)) == (
        401,
        "A JSON web token could not be decoded",
    )


def test_nobody_gets_nothing(world: Sandbox) -> None:
    assert ask(world, "GET", "/app").status == 401
    assert ask(world, "GET", "/repos/octo/open").status == 401
    assert ask(world, "GET", "/repos/octo/open", credential="ghs_made-up").status == 401


def test_tokens_are_long_unless_asked_otherwise(world: Sandbox) -> None:
    installation = world.install("octo", [REPO])
    path = f"/app/installations/{installation}/access_tokens"
    assert 500 < len(token(world, installation)) < 540
    short = ask(
        world, "POST", path, credential=app_jwt(world), x_github_stateless_s2s_token="disabled"
    )
    assert len(json.loads(short.content)["token"]) == 40


def test_a_token_ends_after_an_hour(world: Sandbox, clock: Wrist) -> None:
    credential = token(world, world.install("octo", [REPO]))
    clock.now += timedelta(minutes=59)
    assert ask(world, "GET", f"/repos/{REPO}", credential=credential).status == 200
    clock.now += timedelta(minutes=2)
    assert ask(world, "GET", f"/repos/{REPO}", credential=credential).status == 401


def test_what_is_private_and_elsewhere_does_not_exist(world: Sandbox) -> None:
    credential = token(world, world.install("octo", [REPO]))
    assert ask(world, "GET", "/repos/octo/closed", credential=credential).status == 404
    assert ask(world, "GET", "/repos/octo/nowhere", credential=credential).status == 404


def test_what_is_public_can_be_read_but_not_written(world: Sandbox) -> None:
    number = world.open_issue("octo/open", title="Hello")
    credential = token(world, world.install("octo", [REPO]))
    issue = f"/repos/octo/open/issues/{number}"
    assert ask(world, "GET", issue, credential=credential).status == 200
    written = ask(world, "POST", f"{issue}/labels", {"labels": ["x"]}, credential=credential)
    assert written.status == 403
    assert message(written.content) == "Resource not accessible by integration"


def test_a_token_can_do_less_than_its_installation(world: Sandbox) -> None:
    number = world.open_issue(REPO, title="Hello")
    weak = token(world, world.install("octo", [REPO]), permissions={"issues": "read"})
    issue = f"/repos/{REPO}/issues/{number}"
    assert ask(world, "GET", issue, credential=weak).status == 200
    assert ask(world, "POST", f"{issue}/labels", {"labels": ["x"]}, credential=weak).status == 403
    assert ask(world, "GET", f"/repos/{REPO}/contents/x", credential=weak).status == 403


def test_a_token_cannot_do_more_than_its_installation(world: Sandbox) -> None:
    installation = world.install("octo", [REPO], permissions={"issues": "read"})
    path = f"/app/installations/{installation}/access_tokens"
    wanted = {"permissions": {"issues": "write"}}
    assert ask(world, "POST", path, wanted, credential=app_jwt(world)).status == 422
    elsewhere = {"repositories": ["closed"]}
    assert ask(world, "POST", path, elsewhere, credential=app_jwt(world)).status == 422


def test_no_permissions_named_means_all_of_them(world: Sandbox) -> None:
    installation = world.install("octo", [REPO])
    path = f"/app/installations/{installation}/access_tokens"
    answer = ask(world, "POST", path, {"permissions": {}}, credential=app_jwt(world))
    granted = json.loads(answer.content)["permissions"]
    assert granted == {"issues": "write", "metadata": "read", "contents": "read"}


def test_a_suspended_installation_is_shut_out(world: Sandbox) -> None:
    installation = world.install("octo", [REPO])
    credential = token(world, installation)
    world.suspend(installation)
    assert ask(world, "GET", f"/repos/{REPO}", credential=credential).status == 403
    path = f"/app/installations/{installation}/access_tokens"
    assert ask(world, "POST", path, credential=app_jwt(world)).status == 403
    world.suspend(installation, on=False)
    assert ask(world, "GET", f"/repos/{REPO}", credential=credential).status == 200


def test_a_token_dies_with_its_installation(world: Sandbox) -> None:
    installation = world.install("octo", [REPO])
    credential = token(world, installation)
    world.uninstall(installation)
    assert ask(world, "GET", f"/repos/{REPO}", credential=credential).status == 401


def test_people_act_within_their_role(world: Sandbox) -> None:
    number = world.open_issue("octo/open", title="Hello")
    labels = f"/repos/octo/open/issues/{number}/labels"
    world.set_role("octo/open", "tina", "triage")
    tina, anybody = world.user_token("tina"), world.user_token("anybody")
    assert ask(world, "POST", labels, {"labels": ["x"]}, credential=anybody).status == 403
    assert ask(world, "POST", labels, {"labels": ["x"]}, credential=tina).status == 200
    assert world.issue_labels("octo/open", number) == {"x": "tina"}
    definition = "/repos/octo/open/labels/x"
    assert ask(world, "DELETE", definition, credential=tina).status == 403


def test_a_manifest_becomes_an_app_once(world: Sandbox) -> None:
    manifest: dict[str, object] = {
        "name": "My Labels",
        "hook_attributes": {"url": "http://localhost/hook"},
        "default_permissions": {"issues": "write"},
        "default_events": ["issues"],
    }
    path = f"/app-manifests/{world.keep_manifest(manifest)}/conversions"
    answer = ask(world, "POST", path)
    assert answer.status == 201
    made = json.loads(answer.content)
    now = int(time.time())
    claims = {"iat": now - 60, "exp": now + 60, "iss": made["client_id"]}
    mine = ask(world, "GET", "/app", credential=jwt.encode(claims, made["pem"], algorithm="RS256"))
    assert mine.status == 200, mine.content
    assert json.loads(mine.content)["slug"] == "my-labels"
    assert ask(world, "POST", path).status == 404


def test_a_manifest_code_ends_after_an_hour(world: Sandbox, clock: Wrist) -> None:
    path = f"/app-manifests/{world.keep_manifest({'name': 'Late'})}/conversions"
    clock.now += timedelta(minutes=61)
    assert ask(world, "POST", path).status == 404

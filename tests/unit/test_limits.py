"""Answers of GitHub -> what the worker does next; and httpx writes, one transport below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.errors import GiveUp, Ignore, LabelwrightError, RetryLater
from bot.github.limits import (
    Answer,
    Backoff,
    PermissionMissing,
    checked,
    error_of,
    parse_body,
)
from bot.github.tokens import (
    REFRESH_BEFORE,
    REPLICATION,
    InstallationGrant,
    InstallationToken,
    Nobody,
)
from bot.github.writes import Writer

NOW = 1_800_000_000.0


def error(
    status: int,
    message: str = "",
    *,
    backoff: Backoff | None = None,
    **headers: str,
) -> LabelwrightError:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(
        Answer(status, spelled, {"message": message}),
        doing="label o/r#3",
        permission="issues: write",
        backoff=backoff or Backoff(now=lambda: NOW),
    )


def wait(status: int, message: str = "", **headers: str) -> float:
    got = error(status, message, backoff=None, **headers)
    assert isinstance(got, RetryLater)
    return got.after


@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_honoured(status: int) -> None:
    assert wait(status, retry_after="17", x_ratelimit_reset=str(int(NOW) + 900)) == 17


@pytest.mark.parametrize("status", [403, 429])
def test_without_it_the_reset_is_waited_for(status: int) -> None:
    reset = str(int(NOW) + 900)
    assert wait(status, x_ratelimit_remaining="0", x_ratelimit_reset=reset) == 900


def test_a_reset_in_the_past_or_in_a_far_future_is_bounded() -> None:
    assert wait(429, x_ratelimit_remaining="0", x_ratelimit_reset="1") == 1
    assert wait(429, x_ratelimit_remaining="0", x_ratelimit_reset="9" * 12) == 3600


def test_a_secondary_limit_without_times_waits_a_minute_and_doubles() -> None:
    backoff = Backoff(now=lambda: NOW)
    said = "You have exceeded a secondary rate limit"
    waits = []
    for _ in range(8):
        got = error(403, said, backoff=backoff, x_ratelimit_remaining="4000")
        assert isinstance(got, RetryLater)
        waits.append(got.after)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_a_success_ends_the_doubling() -> None:
    backoff = Backoff(now=lambda: NOW)
    error(429, backoff=backoff)
    checked(Answer(200), doing="x", permission="y", backoff=backoff)
    assert backoff.hit() == 60


def test_nonsense_in_the_headers_falls_back() -> None:
    assert wait(429, retry_after="soon", x_ratelimit_remaining="0", x_ratelimit_reset="x") == 60


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_outages_are_tried_again(status: int) -> None:
    assert wait(status) > 0


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone_is_ignored(status: int) -> None:
    assert isinstance(error(status), Ignore)


@pytest.mark.parametrize(
    "message",
    [
        "This installation has been suspended",
        "Repository was archived so is read-only.",
    ],
)
def test_a_suspension_and_an_archive_are_ignored(message: str) -> None:
    assert isinstance(error(403, message), Ignore)


def test_a_missing_permission_is_named_by_github_or_by_us() -> None:
    said = "Resource not accessible by integration"
    ours = error(403, said)
    theirs = error(403, said, x_accepted_github_permissions="contents=read")
    assert isinstance(ours, PermissionMissing)
    assert isinstance(theirs, PermissionMissing)
    assert (ours.permission, theirs.permission) == ("issues: write", "contents: read")
    assert "'issues: write'" in str(ours)


@pytest.mark.parametrize("status", [400, 401, 403, 409, 422, 451])
def test_the_rest_is_given_up_with_the_call_in_words(status: int) -> None:
    got = error(status, "Validation Failed")
    assert isinstance(got, GiveUp)
    assert "label o/r#3" in str(got)


def test_a_foreign_body_is_an_outage_only_where_it_counts() -> None:
    with pytest.raises(RetryLater):
        parse_body("<html>", status=200, doing="x")
    assert parse_body("<html>", status=502, doing="x") is None
    assert parse_body("", status=204, doing="x") is None


def test_the_next_page_is_the_link_named_next() -> None:
    link = '<https://a/x?after=Y%3D&b=1>; rel="next", <https://a/x>; rel="first"'
    assert Answer(200, {"link": link}).next_page == "https://a/x?after=Y%3D&b=1"
    assert Answer(200, {"link": '<https://a/x>; rel="prev"'}).next_page is None
    assert Answer(200).next_page is None


# tokens


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> InstallationToken:
    numbers = iter(range(1, 100))

    def mint() -> InstallationGrant:
        end = datetime.fromtimestamp(clock.now, UTC) + timedelta(hours=1)
        return InstallationGrant(f"t{next(numbers)}", end)

    return InstallationToken(mint, now=clock)


def test_a_token_is_kept_until_shortly_before_its_end(
    tokens: InstallationToken, clock: Clock
) -> None:
    assert tokens.token() == "t1"
    clock.now += 3600 - REFRESH_BEFORE - 1
    assert tokens.token() == "t1"
    clock.now += 2
    assert tokens.token() == "t2"


def test_a_fresh_token_is_kept_when_refused_and_an_old_one_replaced(
    tokens: InstallationToken, clock: Clock
) -> None:
    tokens.token()
    assert tokens.refused()
    assert tokens.token() == "t1"
    clock.now += REPLICATION + 1
    assert tokens.refused()
    assert tokens.token() == "t2"


def test_a_grant_hides_its_token() -> None:
    assert "t1" not in repr(InstallationGrant("t1", datetime.now(UTC)))


# writes

Handler = Callable[[httpx.Request], httpx.Response]


class Wire:
    """A writer over a transport that answers from a list."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []
        self.pauses: list[float] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def send(self, source: InstallationToken | Nobody, method: str = "POST") -> Answer:
        writer = Writer(
            source,
            api_url="https://api.example",
            http=self.http,
            backoff=Backoff(now=lambda: NOW),
            pause=self.pauses.append,
        )
        return writer.send(
            method,
            "/repos/o/r/issues/3/labels",
            doing="label o/r#3",
            permission="issues: write",
            document={"labels": ["bug"]},
        )


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(*answers: httpx.Response | Exception) -> Wire:
        made.append(Wire(*answers))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


def moved(status: int, to: str) -> httpx.Response:
    return httpx.Response(status, headers={"Location": to})


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_redirect_keeps_method_body_and_token(
    wire: Callable[..., Wire], tokens: InstallationToken, status: int, method: str
) -> None:
    there = "https://api.example/repositories/7/issues/3/labels"
    line = wire(moved(status, there), httpx.Response(200, json=[]))
    assert line.send(tokens, method).status == 200
    second = line.seen[1]
    assert (second.method, str(second.url)) == (method, there)
    assert second.content == line.seen[0].content != b""
    assert second.headers["authorization"] == "Bearer t1"


@pytest.mark.parametrize(
    "there", ["https://evil.example/x", "http://api.example/x", "https://api.example:8443/x"]
)
def test_a_token_never_follows_to_another_place(
    wire: Callable[..., Wire], tokens: InstallationToken, there: str
) -> None:
    line = wire(moved(307, there))
    with pytest.raises(GiveUp, match="another host"):
        line.send(tokens)
    assert len(line.seen) == 1


def test_circles_end(wire: Callable[..., Wire], tokens: InstallationToken) -> None:
    line = wire(*[moved(307, "/repos/o/r/issues/3/labels")] * 9)
    with pytest.raises(GiveUp, match="circles"):
        line.send(tokens)


def test_a_fresh_token_is_tried_again_after_a_pause(
    wire: Callable[..., Wire], tokens: InstallationToken
) -> None:
    line = wire(httpx.Response(401), httpx.Response(401), httpx.Response(200, json=[]))
    assert line.send(tokens).status == 200
    assert line.pauses == [1.0, 4.0]


def test_credentials_that_stay_refused_are_given_up(
    wire: Callable[..., Wire], tokens: InstallationToken
) -> None:
    line = wire(*[httpx.Response(401, json={"message": "Bad credentials"}) for _ in range(3)])
    with pytest.raises(GiveUp, match="private key"):
        line.send(tokens)
    assert line.answers == []


def test_a_revoked_token_is_replaced(
    wire: Callable[..., Wire], tokens: InstallationToken, clock: Clock
) -> None:
    tokens.token()
    clock.now += 60
    line = wire(httpx.Response(401), httpx.Response(200, json=[]))
    line.send(tokens)
    sent = [request.headers["authorization"] for request in line.seen]
    assert sent == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("x"),
        httpx.ConnectTimeout("x"),
        httpx.ConnectError("x"),
        httpx.RemoteProtocolError("x"),
    ],
)
def test_a_broken_line_is_tried_later_never_at_once(
    wire: Callable[..., Wire], tokens: InstallationToken, failure: Exception
) -> None:
    line = wire(failure)
    with pytest.raises(RetryLater):
        line.send(tokens)
    assert len(line.seen) == 1


def test_a_502_is_not_sent_again_behind_our_back(
    wire: Callable[..., Wire], tokens: InstallationToken
) -> None:
    line = wire(httpx.Response(502))
    with pytest.raises(RetryLater):
        line.send(tokens)
    assert len(line.seen) == 1

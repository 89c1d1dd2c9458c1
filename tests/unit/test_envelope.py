"""What the receiver reads of a delivery, and what it refuses. No database, no network."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web import signature
from bot.web.envelope import DELIVERY, EVENT, TARGET, Malformed, parse, read

HEADERS = {TARGET: "12", DELIVERY: "72d3162e-cc78-11e3-81ab-4c9367dc0958", EVENT: "issues"}
PAYLOAD = {
    "action": "opened",
    "installation": {"id": 5},
    "repository": {"id": 7, "full_name": "acme/widget"},
    "issue": {"number": 3},
}


def body_of(payload: object) -> bytes:
    return json.dumps(payload).encode()


def test_a_delivery_of_an_issue_is_locked_by_the_issue() -> None:
    arrival = read(HEADERS, body_of(PAYLOAD))
    assert (arrival.target_id, arrival.guid, arrival.event) == (12, HEADERS[DELIVERY], "issues")
    assert (arrival.action, arrival.installation_id) == ("opened", 5)
    assert (arrival.task, arrival.lock) == ("delivery", "issue/7/3")


def test_other_deliveries_are_locked_by_the_installation() -> None:
    without_issue = {key: PAYLOAD[key] for key in ("installation", "repository")}
    assert read(HEADERS, body_of(without_issue)).lock == "installation/5"
    assert read(HEADERS, b"{}").lock is None


def test_an_unknown_event_gets_no_job() -> None:
    assert read({**HEADERS, EVENT: "star"}, body_of(PAYLOAD)).task is None


@pytest.mark.parametrize("name", [TARGET, DELIVERY, EVENT])
def test_a_missing_or_odd_header_is_named(name: str) -> None:
    with pytest.raises(Malformed, match=f"{name} is missing"):
        read({key: value for key, value in HEADERS.items() if key != name}, b"{}")
    for odd in ("", "a b", "é", "x" * 200, "\x00"):
        with pytest.raises(Malformed, match=f"{name} is not what GitHub sends"):
            read({**HEADERS, name: odd}, b"{}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        "{}".encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"[]",
        b"null",
        b'"text"',
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse(body)


def test_a_form_is_told_how_to_be_json() -> None:
    with pytest.raises(Malformed, match="content type to application/json"):
        parse(b"payload=%7B%7D")


@pytest.mark.parametrize(
    "payload",
    [
        {"action": "a\x00b", "installation": {"id": 2**63}},
        {"action": "\ud800", "installation": {"id": True}},
        {"action": 7, "installation": {"id": "5"}},
        {"action": ["opened"], "installation": [5]},
        {"action": None, "installation": {"id": -1}},
    ],
)
def test_odd_values_are_taken_for_none(payload: dict[str, object]) -> None:
    arrival = read(HEADERS, body_of(payload))
    assert (arrival.action, arrival.installation_id, arrival.lock) == (None, None, None)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "action": JSON,
        "installation": JSON | st.fixed_dictionaries({"id": JSON}),
        "repository": JSON | st.fixed_dictionaries({"id": JSON}),
        "issue": JSON | st.fixed_dictionaries({"number": JSON}),
    },
)


@given(
    headers=st.dictionaries(st.sampled_from([TARGET, DELIVERY, EVENT]), st.text()), body=st.binary()
)
def test_no_headers_and_no_bytes_raise_anything_else(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Malformed):
        read({**HEADERS, **headers}, b"\x00" + body)


@given(payload=SHAPED)
def test_no_payload_raises_anything(payload: dict[str, object]) -> None:
    arrival = read(HEADERS, body_of(payload))
    assert arrival.lock is None or arrival.lock.isascii()
    assert arrival.action is None or arrival.action.isascii()


def test_signatures_of_any_secret_are_taken_and_of_no_other() -> None:
    body = b"Hello, World!"
    # The example in GitHub's documentation.
    known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret = "It's a Secret to Everybody"
    assert signature.sign(secret, body) == known
    assert signature.verify(["old", secret], body, known)
    assert signature.verify([secret, "new"], body, known)
    assert not signature.verify(["old", "new"], body, known)
    assert not signature.verify([secret], body + b" ", known)
    assert not signature.verify([], body, known)


@given(st.text())
def test_an_odd_signature_is_a_wrong_one(given_signature: str) -> None:
    assert not signature.verify(["secret"], b"body", given_signature)

"""The road of a new issue, end to end: signed webhook in, label on GitHub out, and what is kept of it."""

from __future__ import annotations

from tests.acceptance.stack import US, Repo, Stack

CRASH = "Server crashes with a traceback when I save a page"
BODY = "Traceback (most recent call last):\n  ValueError: bad port\n\nExpected: no crash. Version 1.4.0."


def test_a_new_issue_gets_its_label(learned: Repo) -> None:
    number = learned.open(CRASH, BODY)
    assert learned.labels(number)["bug"] == US
    (opened,) = [d for d in learned.deliveries("issues", "opened") if CRASH.encode() in d.body]
    assert (opened.status, opened.outcome.startswith("applied")) == ("done", True)

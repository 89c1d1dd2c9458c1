"""What we say is short, calls nobody, and lets no name be more than a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import wording
from bot.core.wording import Reason, Standing, code, plain

AT = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "span"),
    [("bug", "`bug`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("@team", "`@team`")],
)
def test_a_name_is_a_code_span(name: str, span: str) -> None:
    assert code(name) == span


@given(st.text(max_size=60))
def test_no_text_of_ours_calls_or_formats(text: str) -> None:
    said = plain(text)
    assert "<" not in said
    assert "@" not in said.replace("@\u200b", "")


def test_unknown_labels_come_with_the_nearest_names() -> None:
    said = wording.no_such_labels([("bgu", ["bug"]), ("zzz", []), ("d", ["docs", "dev", "db"])])
    assert said == (
        "There is no label `bgu` here. Did you mean `bug`? There is no label `zzz` here. "
        "There is no label `d` here. Did you mean `docs`, `dev` or `db`? Nothing was done."
    )


def test_a_reply_names_who_asked_without_calling_them() -> None:
    said = wording.reply(["One.", "Two."], asker="ann", url="https://github.com/o/r/issues/1#c")
    assert said == "To [what `ann` asked](https://github.com/o/r/issues/1#c):\n\nOne.\n\nTwo."
    assert wording.reply(["One."], asker="ann", url="javascript:x") == "To `ann`:\n\nOne."


def test_why_tells_score_cut_reason_words_and_neighbours() -> None:
    now = wording.decided(AT, head=3, bundle="abc")
    then = wording.decided(AT - timedelta(days=1), head=None, bundle="old")
    reasons = [
        Reason(
            "bug", "apply", "0.97 reaches its cut 0.90", 0.97, 0.9, "", ("crash",), (4, 12), now
        ),
        Reason("docs", "suggest", "worth a glance", 0.5, None, by=now),
        Reason("ui", "apply", "sure", 0.9, 0.8, "a human removed it", by=then),
        Reason("db", "abstain", "0.10 is below", 0.1, 0.8, by=now),
    ]
    assert wording.why(reasons, by=now).splitlines() == [
        "Decided 2026-11-22 07:30 UTC by head v3 of `abc`:",
        "",
        "- `bug` **set**: score 0.97, cut 0.90; 0.97 reaches its cut 0.90. Words: `crash`. Like #4, #12.",
        "- `docs` **suggested**: score 0.50, cut none; worth a glance.",
        "- `ui` **not done**: score 0.90, cut 0.80; sure. On writing: a human removed it."
        " Decided 2026-11-21 07:30 UTC by a head that is gone of `old`.",
        "- `db` **not set**: score 0.10, cut 0.80; 0.10 is below.",
    ]


def test_status_says_what_serves_and_what_is_wrong() -> None:
    fine = Standing("ready", "apply", 0.9, 3, "abc", 8, None)
    assert wording.status(fine) == (
        "Labelwright is **ready** here: mode `apply`, head v3 of `abc`, 8 labels known, "
        "precision asked for 0.90."
    )
    broken = Standing("paused", "suggest", 0.9, None, "", 0, "line 1: unknown key `x`")
    assert "no head yet" in wording.status(broken)
    assert "unknown key \\`x\\`" in wording.status(broken)


def test_boxes_come_back_as_they_are_ticked() -> None:
    rows = [("bug", "0.6"), ("bug report", "0.5"), ("a`b", "0.4 [x]")]
    body = wording.suggestion_comment(rows)
    labels = [label for label, _ in rows]
    assert wording.ticked_boxes(body, labels) == ([], False)
    by_hand = body.replace("- [ ] `bug report`", "- [X] `bug report`")
    assert wording.ticked_boxes(by_hand, labels) == (["bug report"], False)
    again = wording.suggestion_comment(rows, ticked={"bug", "a`b"})
    assert wording.ticked_boxes(again, labels) == (["bug", "a`b"], False)
    none = again.replace("- [ ] none", "- [x] none")
    assert wording.ticked_boxes(none, labels) == (["bug", "a`b"], True)


def test_labels_that_we_did_not_suggest_cannot_be_ticked() -> None:
    assert wording.ticked_boxes("- [x] `security`: mine", ["bug"]) == ([], False)


def test_the_notice_names_the_key() -> None:
    said = wording.rules_broken("line 2: unknown key `treshold`; did you mean 'threshold'?")
    assert "line 2: unknown key \\`treshold\\`" in said

"""What the log shows of an error: where it happened and of what kind, never what it quotes."""

from __future__ import annotations

import io
import logging

import pytest

from bot.errors import GiveUp

TEXT = "a private text"


def fail(text: str) -> None:
    raise ValueError(f"cannot read {text!r}")


def fail_twice(text: str) -> None:
    try:
        fail(text)
    except ValueError as error:
        raise KeyError(text) from error


def test_a_traceback_shows_the_place_and_the_kind(log: io.StringIO) -> None:
    try:
        fail(TEXT)
    except ValueError:
        logging.getLogger("bot.somewhere").exception("it failed")
    shown = log.getvalue()
    assert "ERROR bot.somewhere: it failed" in shown
    assert "in fail" in shown
    assert shown.rstrip().endswith("ValueError")
    assert "private" not in shown


def test_a_chain_of_errors_is_shown_whole_and_says_nothing(
    log: io.StringIO,
) -> None:
    try:
        fail_twice(TEXT)
    except KeyError:
        logging.getLogger("bot").exception("it failed")
    shown = log.getvalue()
    assert shown.index("ValueError\n") < shown.index("KeyError")
    assert "private" not in shown


def test_our_own_errors_keep_their_words(log: io.StringIO) -> None:
    try:
        raise GiveUp("the App lacks the permission 'issues: write'")
    except GiveUp:
        logging.getLogger("bot").exception("it failed")
    assert "GiveUp: the App lacks the permission" in log.getvalue()


def test_tokens_are_redacted(log: io.StringIO) -> None:
    logging.getLogger("bot").warning("sent %s", "ghs_" + "x" * 40)
    shown = log.getvalue()
    assert "[redacted]" in shown
    assert "xxx" not in shown


@pytest.mark.parametrize("noisy", ["httpx", "httpcore.connection", "github.Requester", "urllib3"])
def test_libraries_do_not_tell_of_every_call(log: io.StringIO, noisy: str) -> None:
    logging.getLogger(noisy).info("a call")
    logging.getLogger(noisy).warning("trouble")
    shown = log.getvalue()
    assert "a call" not in shown
    assert "trouble" in shown

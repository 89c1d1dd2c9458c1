"""Webhook body -> event. Tolerant: what we do not know is `Unhandled`, never an error.

A delivery that we do handle but that lacks a key we need raises `GiveUp` naming the key.
"""

from __future__ import annotations

from bot.github import issue_events, repository_events
from bot.github.occurrences import Event, Unhandled
from bot.github.payloads import AppIdentity, actor_from, decoded, dig, may
from bot.github.repository_events import Given


def parse_event(event: str, body: bytes, *, us: AppIdentity | None = None) -> Event:
    """The event that a delivery tells of.

    Args:
        event: value of the header X-GitHub-Event.
        body: raw JSON body.
        us: our own App; without it no sender is recognised as us.

    Raises:
        GiveUp: no JSON object, or a key that this event needs is missing; the message names it.
    """
    payload = decoded(body)
    action = may(payload, "action", str, "")
    parser = _PARSERS.get((event, action)) or _PARSERS.get((event, "*"))
    if parser is None:
        return Unhandled(event, action)
    given: Given = {
        "installation_id": may(payload, "installation.id", int, 0) or None,
        "sender": actor_from(dig(payload, "sender"), us=us),
    }
    return parser(payload, given)


_PARSERS = {**issue_events.PARSERS, **repository_events.PARSERS}

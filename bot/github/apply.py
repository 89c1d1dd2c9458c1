"""Putting decided labels on an issue, and taking ours off, without ever overruling a human.

Re-reads before it writes. Never creates a label, never brings back one that a human removed or deleted,
never removes one that a human set. What is not written is reported with its reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.core.types import Issue, LabelEvent, RepositoryLabel
from bot.errors import Ignore
from bot.github.client import InstallationClient

log = logging.getLogger(__name__)

Reasons = tuple[tuple[str, str], ...]
"""(label, why nothing was written)"""

NEW_COLOR = "ededed"
"""The look of a label that GitHub made by itself, out of a name it did not know: grey, undescribed."""


def _moment() -> datetime:
    """Now, cut to the second as GitHub tells times: all in one order."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the labels that were wanted; each is in exactly one of the four."""

    added: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    skipped: Reasons = ()
    recreated: tuple[str, ...] = ()
    """Deleted by a human in the very moment of writing, so GitHub made them anew: deleted again."""
    at: datetime = field(default_factory=_moment, compare=False)
    """When the write was begun: what is said of its labels since came later."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What became of the labels that were to go."""

    removed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    skipped: Reasons = ()


def apply_labels(
    client: InstallationClient,
    full_name: str,
    number: int,
    wanted: Collection[str],
    *,
    known_ids: Mapping[str, int],
    objection: Callable[[str, Issue], str] = lambda _label, _issue: "",
    asked_at: datetime | None = None,
    before_write: Callable[[], None] = lambda: None,
) -> Applied:
    """Add labels to an issue. Running it twice does no more than once.

    Args:
        wanted: names, in any case; the repository's own spelling is written.
        known_ids: name -> GitHub id of every label that the repository is known to have.
        objection: why a label must not be set on the issue as it is now; "" where it may.
        asked_at: when a person asked for these very labels; theirs goes over every word before it.
        before_write: called right before labels are written, to wait for a turn.

    Raises:
        Ignore: the issue is gone, was moved, or is a pull request.
        RetryLater: a limit or an outage; whether it was written is seen on the next try.
    """
    issue = _labelled(client, full_name, number)
    present, absent = _split(wanted, issue)
    against = tuple((name, why) for name in absent if (why := objection(name, issue)))
    open_ = [name for name in absent if name not in dict(against)]
    existing, skipped = _existing(client, full_name, open_, known_ids=known_ids)
    events = client.issue_events(full_name, number, issue=issue)
    allowed, refused = _not_removed(existing, events, asked_at=asked_at)
    if allowed:
        before_write()
    at = _moment()
    added, recreated, missing = _write(client, full_name, number, allowed)
    again = _left_over(client, full_name, number, present, known_ids=known_ids, events=events)
    return Applied(
        added=added,
        already=tuple(name for name in present if name not in again),
        skipped=(*against, *skipped, *refused, *missing),
        recreated=(*recreated, *again),
        at=at,
    )


def remove_labels(
    client: InstallationClient,
    full_name: str,
    number: int,
    unwanted: Collection[str],
    *,
    asked_at: datetime | None = None,
    before_write: Callable[[], None] = lambda: None,
) -> Removed:
    """Take labels off an issue, but only those that we put there last.

    `asked_at`: when a person asked for it; then others' labels go as well, but for those that people set
    since. `before_write`: called right before each write.

    Raises: as `apply_labels`.
    """
    issue = _labelled(client, full_name, number)
    present, absent = _split(unwanted, issue)
    last = last_events(client.issue_events(full_name, number, issue=issue))
    removed: list[str] = []
    skipped: list[tuple[str, str]] = []
    for name in present:
        if why := _why_it_stays(last.get(name.casefold()), asked_at=asked_at):
            skipped.append((name, why))
            continue
        before_write()
        if client.remove_label(full_name, number, name):
            removed.append(name)
    gone = [name for name in present if name not in removed and name not in dict(skipped)]
    return Removed(tuple(removed), (*absent, *gone), tuple(skipped))


def _why_it_stays(event: LabelEvent | None, *, asked_at: datetime | None) -> str:
    """Why a label with that last event must not be taken off; "" where it may."""
    if event is not None and event.actor_kind == "us":
        return ""
    if asked_at is None:
        return "somebody else put it there"
    since = event is not None and event.actor_kind == "human" and event.at > asked_at
    return "somebody set it since" if since else ""


def last_events(events: Iterable[LabelEvent]) -> dict[str, LabelEvent]:
    """Label (case-folded) -> its latest event; of events in one second the later one told counts."""
    return {event.label.casefold(): event for event in sorted(events, key=lambda event: event.at)}


def _labelled(client: InstallationClient, full_name: str, number: int) -> Issue:
    issue = client.issue(full_name, number)
    if issue.is_pull_request:
        raise Ignore(f"{full_name}#{number} is a pull request")
    return issue


def _split(names: Collection[str], issue: Issue) -> tuple[list[str], list[str]]:
    """Names on the issue, in its spelling, and names that are not; each once."""
    here = {name.casefold(): name for name in issue.labels}
    asked = {name.casefold(): name for name in names}
    present = [here[key] for key in asked if key in here]
    return present, [name for key, name in asked.items() if key not in here]


def _existing(
    client: InstallationClient,
    full_name: str,
    names: Iterable[str],
    *,
    known_ids: Mapping[str, int],
) -> tuple[list[RepositoryLabel], Reasons]:
    """The labels that exist this moment under the id we know; POST would create the others."""
    known = {name.casefold(): github_id for name, github_id in known_ids.items()}
    found: list[RepositoryLabel] = []
    skipped: list[tuple[str, str]] = []
    for name in names:
        if name.casefold() not in known:
            skipped.append((name, "the repository has no such label"))
            continue
        label = client.label(full_name, name)
        if label is None:
            skipped.append((name, "the label was deleted"))
        elif label.github_id != known[name.casefold()]:
            skipped.append((name, "another label has taken this name; it is learned first"))
        else:
            found.append(label)
    return found, tuple(skipped)


def _not_removed(
    labels: Iterable[RepositoryLabel], events: Iterable[LabelEvent], *, asked_at: datetime | None
) -> tuple[list[RepositoryLabel], Reasons]:
    """Drops what a human took off this issue, whoever touched it since; where a person asked for the
    labels, what was taken off since."""
    human = last_events(event for event in events if event.actor_kind in ("human", "form"))
    removed = {
        key
        for key, event in human.items()
        if not event.added and (asked_at is None or event.at > asked_at)
    }
    kept = [label for label in labels if label.name.casefold() not in removed]
    gone = [label for label in labels if label.name.casefold() in removed]
    why = "a human removed it from this issue" if asked_at is None else "somebody took it off since"
    return kept, tuple((label.name, why) for label in gone)


def _write(
    client: InstallationClient, full_name: str, number: int, labels: list[RepositoryLabel]
) -> tuple[tuple[str, ...], tuple[str, ...], Reasons]:
    """One POST, then the ids it answers with against those we read: (added, recreated, missing)."""
    if not labels:
        return (), (), ()
    answered = client.add_labels(full_name, number, [label.name for label in labels])
    after = {label.name.casefold(): label for label in answered}
    added: list[str] = []
    recreated: list[str] = []
    missing: list[tuple[str, str]] = []
    for label in labels:
        got = after.get(label.name.casefold())
        if got is None:
            missing.append((label.name, "GitHub did not put it on the issue"))
        elif got.github_id == label.github_id:
            added.append(label.name)
        elif _undo_recreation(client, full_name, number, got):
            recreated.append(label.name)
        else:
            missing.append((label.name, "another label has taken this name; it is learned first"))
    return tuple(added), tuple(recreated), tuple(missing)


def _left_over(
    client: InstallationClient,
    full_name: str,
    number: int,
    present: Iterable[str],
    *,
    known_ids: Mapping[str, int],
    events: Iterable[LabelEvent],
) -> tuple[str, ...]:
    """Undoes recreations of an earlier try that ended between its write and its check.

    Only where the label on the issue is our own doing; costs a call only where its id is unknown.
    """
    known = {name.casefold(): github_id for name, github_id in known_ids.items()}
    last = last_events(events)
    undone: list[str] = []
    for name in present:
        event = last.get(name.casefold())
        if event is None or event.actor_kind != "us":
            continue
        label = client.label(full_name, name)
        strange = label is not None and label.github_id != known.get(name.casefold())
        if label is not None and strange and _undo_recreation(client, full_name, number, label):
            undone.append(name)
    return tuple(undone)


def _undo_recreation(
    client: InstallationClient, full_name: str, number: int, label: RepositoryLabel
) -> bool:
    """Take it off and delete it. False, touching only the issue, where it looks like a human's label."""
    client.remove_label(full_name, number, label.name)
    if label.color.lower() != NEW_COLOR or label.description:
        log.warning("%s#%d: took off a label that was made anew meanwhile", full_name, number)
        return False
    client.delete_label(full_name, label.name)
    log.error(
        "%s#%d: a label was deleted while we wrote it and GitHub made it anew; it is deleted again",
        full_name,
        number,
    )
    return True

"""What counts as truth: from label provenance to known pairs, +1 human yes, -1 human no, 0 unknown.

Unknown is never a negative. A label set by us, by another bot or by a form teaches nothing about
itself; an issue that nobody labelled teaches nothing at all. Nor does a mass relabel: callers pass events
through `bot.core.provenance.discount_doubtful` first.

Our own labels that nobody took off are weak evidence: they teach a head a little (`unopposed`). Whether
anybody saw them nobody knows, so they are 0 here, and in no cut, no expectation and no gate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.core.families import families_of
from bot.core.types import LabelEvent

NOT_TEACHING = frozenset({"deleted", "transferred", "spam"})
"""States of issues that are gone, or should never have been."""

KnownPairs: TypeAlias = NDArray[np.int8]
"""[issues, labels] (or one row of it): +1 positive, -1 negative, 0 unknown."""


def teaches(state: str, *, is_pull_request: bool = False) -> bool:
    """Whether anything about an issue in this state is evidence."""
    return not is_pull_request and state not in NOT_TEACHING


def by_people(current: Collection[str], events: Sequence[LabelEvent]) -> set[str]:
    """Those of the labels on an issue that nobody but a person is known to have set last."""
    latest = _latest(events)
    return {name for name in current if name not in latest or _is_human(latest[name])}


def known_row(
    labels: Sequence[str],
    *,
    current: Collection[str] = (),
    events: Sequence[LabelEvent] = (),
    families: Mapping[str, str] | None = None,
    exclusive: Sequence[Sequence[str]] = (),
    settled: bool = True,
) -> KnownPairs:
    """What one issue teaches about `labels` (the learnable ones), int8 [L].

    `current`: labels it carries now; those without an event count as set by a human (histories
    read without provenance). `events`: what is known of who added or removed what; the latest
    event of a label tells. `families`: label -> family, `families_of(labels)` if not given. `settled`:
    the settling days have passed, so that the absence of a sibling label is a human's choice and not haste.

    Only learnable labels speak for their family: `duplicate` or `needs-triage` on an issue says
    nothing about whether it is a bug.
    """
    chosen, refused, foreign = _by_provenance(current, events)
    row = np.zeros(len(labels), dtype=np.int8)
    if not chosen and not refused:
        return row
    families = families if families is not None else families_of(labels)
    answered = {families[x] for x in labels if x in chosen}
    ruled_out = _ruled_out(chosen, exclusive)
    for j, label in enumerate(labels):
        left_out = settled and label not in foreign and families[label] in answered
        if label in chosen:
            row[j] = 1
        elif label in refused or label in ruled_out or left_out:
            row[j] = -1
    return row


def known_pairs(
    label_sets: Sequence[Collection[str]],
    labels: Sequence[str],
    *,
    families: Mapping[str, str] | None = None,
    exclusive: Sequence[Sequence[str]] = (),
) -> KnownPairs:
    """`known_row` of every issue of a settled history without events, int8 [n, L]."""
    families = families if families is not None else families_of(labels)
    rows = [
        known_row(labels, current=s, families=families, exclusive=exclusive) for s in label_sets
    ]
    return np.array(rows, dtype=np.int8).reshape(len(label_sets), len(labels))


def unopposed(
    labels: Sequence[str], *, current: Collection[str], events: Sequence[LabelEvent]
) -> list[bool]:
    """Which of `labels` an issue carries because we set them, nobody having taken them off, [L]."""
    ours = {
        event.label
        for event in _latest(events).values()
        if event.added and event.actor_kind == "us"
    }
    return [label in ours and label in current for label in labels]


def _by_provenance(
    current: Collection[str], events: Sequence[LabelEvent]
) -> tuple[set[str], set[str], set[str]]:
    """(set by a human, removed by a human, touched last by someone who is no evidence)."""
    latest = _latest(events)
    human = {name: event for name, event in latest.items() if _is_human(event)}
    chosen = {name for name, event in human.items() if event.added}
    chosen |= {name for name in current if name not in latest}
    refused = {name for name, event in human.items() if not event.added}
    return chosen, refused, latest.keys() - human.keys()


def _latest(events: Sequence[LabelEvent]) -> dict[str, LabelEvent]:
    return {event.label: event for event in sorted(events, key=lambda event: event.at)}


def _is_human(event: LabelEvent) -> bool:
    return event.actor_kind == "human"


def _ruled_out(chosen: set[str], exclusive: Sequence[Sequence[str]]) -> set[str]:
    """What another label of its group speaks against."""
    found: set[str] = set()
    for group in exclusive:
        if bears := chosen.intersection(group):
            found.update(group if len(bears) > 1 else bears.symmetric_difference(group))
    return found

"""Who stands behind a label event, and what their word is worth.

Knows nothing of decisions: the same answers hold for a history from before we came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from bot.core.types import LabelEvent

TOGETHER = 10
WITHIN = timedelta(seconds=10)
"""One actor who changes labels of `TOGETHER` issues `WITHIN` this time did not look at them: nobody reads
an issue a second. That is what a script does, and ticking all 25 rows of GitHub's list. A handful ticked
by hand stays evidence, for whoever picks five out of a list has read five titles. Which labels they were
does not matter (a rename by script takes one off and puts another on), several changes of one issue
count once (its label menu sends them together)."""

GHOST = "ghost"
"""The login that GitHub shows for a deleted account, and ours for whoever it does not name. Behind it may
be a maintainer who left, but also a bot, or ourselves under a former name: it is no evidence. What it took
off does not come back all the same."""

AT_CREATION = timedelta(seconds=1)
"""Labels that an issue form or template sets carry the issue's own second."""

MAINTAINER = 1.0
AUTHOR = 0.5
STANDING = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Associations that come with a say in the repository."""

IssueEvent = tuple[int, LabelEvent]
"""(id of the issue, what happened there)"""


def in_bulk(events: Iterable[IssueEvent]) -> frozenset[IssueEvent]:
    """Those events of people that are part of a mass relabel."""
    by_actor: dict[str, list[IssueEvent]] = {}
    for issue_id, event in events:
        if event.actor_kind == "human":
            by_actor.setdefault(event.actor, []).append((issue_id, event))
    return frozenset(found for theirs in by_actor.values() for found in _runs(theirs))


def _runs(theirs: list[IssueEvent]) -> Iterator[IssueEvent]:
    """The events of one actor that lie in a window with enough issues in it."""
    theirs.sort(key=lambda one: one[1].at)
    last_of = zip(theirs, theirs[TOGETHER - 1 :], strict=False)
    if all(late[1].at - early[1].at > WITHIN for early, late in last_of):
        return
    inside: Counter[int] = Counter()
    first = told = 0
    for last, (issue_id, event) in enumerate(theirs):
        inside[issue_id] += 1
        while event.at - theirs[first][1].at > WITHIN:
            inside[theirs[first][0]] -= 1
            inside += Counter()  # drops what is no longer in the window
            first += 1
        if len(inside) >= TOGETHER:
            yield from theirs[max(first, told) : last + 1]
            told = last + 1


def discount_doubtful(
    events: Mapping[int, Sequence[LabelEvent]],
) -> dict[int, list[LabelEvent]]:
    """The events of each issue of a repository; those of people behind which no judgement is known to
    stand (mass relabels, deleted accounts) are marked like a machine's work.

    What we may write is not asked here: a label that a person took off ten issues at once must not
    come back on any of them.
    """
    bulk = in_bulk((issue_id, event) for issue_id, told in events.items() for event in told)

    def counted(issue_id: int, event: LabelEvent) -> LabelEvent:
        doubtful = (issue_id, event) in bulk or (event.actor, event.actor_kind) == (GHOST, "human")
        return replace(event, actor_kind="bot") if doubtful else event

    return {
        issue_id: [counted(issue_id, event) for event in told] for issue_id, told in events.items()
    }


def weight_of(actor: str, *, author: str, association: str) -> float:
    """What a person's word on an issue's labels counts for in a fit, beside a maintainer's 1.

    Label events name their actor and no association. But GitHub lets only people with triage permission
    or more touch the labels of an issue, its author aside (through a form or a template, or because
    they have that permission too). So whoever is not the author is a maintainer; for the author the
    issue itself tells their association.
    """
    return AUTHOR if actor == author and association not in STANDING else MAINTAINER

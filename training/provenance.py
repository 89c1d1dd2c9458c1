"""What a fit adds to what its encoder has seen.

Refuses to go on from an encoder that has seen the issues which are to judge what becomes of it.
"""

from __future__ import annotations

from datetime import datetime

from bot.classify.seen import Provenance
from bot.errors import UserError
from training.snapshot.read import RepositoryData, Snapshot


def learned(before: Provenance, snapshot: Snapshot) -> Provenance:
    """Of what is fitted on the snapshot from an encoder with the provenance `before`.

    Raises:
        UserError: that encoder has seen part of what the snapshot keeps to evaluate by.
    """
    if set(before.snapshots) != {snapshot.id}:  # of that itself it has seen the training part alone
        for data in snapshot.repositories:
            _check_unseen(before, data)
    seen = dict(before.seen)
    for data in snapshot.repositories:
        newest = _newest(data)
        earlier = seen.get(data.name, newest)
        seen[data.name] = max(newest, earlier) if newest and earlier else None
    snapshots = (*(id for id in before.snapshots if id != snapshot.id), snapshot.id)
    return Provenance(snapshots, dict(sorted(seen.items())))


def _check_unseen(before: Provenance, data: RepositoryData) -> None:
    window = data.facts.window
    if window is None or data.name not in before.seen:
        return
    until = before.seen[data.name]
    if until is None or window.first is None:
        told = f"learned from {data.name}, whose issues bear no time,"
    elif until < window.first:
        return
    else:
        told = f"has seen {data.name} until {until:%Y-%m-%d}, and is to be judged from {window.first:%Y-%m-%d} on,"
    raise UserError(
        f"The recipe's encoder {told} by the snapshots {', '.join(before.snapshots)}: its successor would be "
        "judged by what it knows. Cut the snapshot with `--after` the one it learned from, or start from "
        "another encoder."
    )


def _newest(data: RepositoryData) -> datetime | None:
    """Of all that a fit may read; the evaluation part it never does."""
    times = [issue.created_at for issue in data.take("train", "unlabelled").issues]
    dated = data.facts.ordered_by == "time"
    return max((at for at in times if at is not None), default=None) if dated else None

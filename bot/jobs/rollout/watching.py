"""After a promotion: is what the new bundle sets corrected more often? If surely so, it goes by itself.

Also asks again for what a promotion has left to do, so that no lost job holds it up.
"""

from __future__ import annotations

import heapq
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bot.core.watch import Block, Verdict, blocks_of, judge
from bot.jobs.rollout.demotion import demote, resume
from bot.store import bundles, exposure
from bot.store.engine import Database
from bot.store.tables import Bundle

log = logging.getLogger(__name__)

WINDOWS = (timedelta(hours=6), timedelta(days=3))
"""How long a label lies before it is looked at: a disaster shows in hours, most of the rest in days."""
ALPHA = 0.05
"""Chance that a bundle which is no worse is ever taken back, over both windows and all times."""
MOST_BEFORE = 800
"""Issues of a repository, the newest, that the bundle before is judged by."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """The bundle that is watched, and the one it replaces or has replaced."""

    new: Bundle
    old: Bundle


def look_after(database: Database) -> str:
    """What is left of a promotion, and how the corrections stand; takes the bundle back if need be."""
    with database.session() as session:
        left = resume(session)
        pair = _pair(session)
        verdicts = {w: _judge(session, pair, w) for w in WINDOWS} if pair else {}
        if pair is not None:
            bundles.save_watch(session, pair.new.id, _figures(pair, verdicts))
    said = f"{left} repositories are left to move"
    if pair is None:
        return f"{said}; no bundle is watched"
    for window, verdict in verdicts.items():
        if verdict.risen:
            log.error("corrections rose under bundle %s: it is taken back", pair.new.id)
            return demote(database, why=_alarm(pair, window, verdict), bundle=pair.new.id)
    compared = max(verdict.issues_after for verdict in verdicts.values())
    return (
        f"{said}; {pair.new.id} is watched on {compared} issues, no rise of corrections is proved"
    )


def _pair(session: Session) -> Pair | None:
    champion = bundles.champion(session)
    if champion is None:
        return None
    if (challenger := bundles.challenger(session)) is not None:
        return Pair(challenger, champion)
    previous = bundles.previous(session)
    return Pair(champion, previous) if previous else None


def _judge(session: Session, pair: Pair, window: timedelta) -> Verdict:
    """The blocks of all repositories as their new issues were labelled."""
    streams = [
        _stream(session, pair, repository_id, window)
        for repository_id in bundles.served_by(session, pair.new.id)
    ]
    blocks = [block for *_, block in heapq.merge(*streams)]
    return judge(blocks, alpha=ALPHA / len(WINDOWS))


def _stream(
    session: Session, pair: Pair, repository_id: int, window: timedelta
) -> list[tuple[datetime, int, Block]]:
    """(when, issue, block) of one repository; the old issues nearest to the change come first."""
    new = exposure.outcomes(
        session, repository_id, bundle=pair.new.id, window=window, since=pair.new.added_at
    )
    if not new:
        return []
    old = exposure.outcomes(session, repository_id, bundle=pair.old.id, window=window, since=EVER)
    before = [one.corrected for one in reversed(old)][:MOST_BEFORE]
    blocks = blocks_of(before, [one.corrected for one in new])
    return [(one.at, one.issue_id, block) for one, block in zip(new, blocks, strict=False)]


def _alarm(pair: Pair, window: timedelta, verdict: Verdict) -> str:
    return (
        f"of what it set {verdict.rate_after or 0:.1%} was corrected within"
        f" {window.total_seconds() / 3600:.0f} hours, {verdict.rate_before or 0:.1%} of what"
        f" {pair.old.id} had set ({verdict.issues_after} and {verdict.issues_before} issues)"
    )


def _figures(pair: Pair, verdicts: dict[timedelta, Verdict]) -> dict[str, object]:
    rows = [{"hours": w.total_seconds() / 3600, **asdict(v)} for w, v in verdicts.items()]
    return {"against": pair.old.id, "at": datetime.now(UTC).isoformat(), "windows": rows}

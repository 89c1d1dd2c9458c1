"""What a replay of the fast loop shows: repeated mistakes, corrected issues, the promise over time.

Mistakes are counted against the labels the file ends up with; what nobody knows is no mistake. Slips of the
simulated maintainer count as corrections that must be heeded, never as the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning_log import WATCHING, Taught, Who
from benchmarks.learning_loop import Replay
from bot.classify.trial import compare
from bot.core.corrections import Kind
from bot.core.measure import Measure, measure, pooled

NEAR = (0.5, 0.6, 0.7)
"""Cosines, from the origin, at which an issue is a near neighbour."""
WINDOW = 100
"""Arriving issues of one point over time."""
KINDS: tuple[Kind, ...] = ("removal", "addition", "swap")

Applied = dict[Who, NDArray[np.bool_]]


@dataclass(frozen=True)
class Outcome:
    """The end of a replay as arrays over arrived issues: `rows` [n], what each head would have `applied`
    [n, L], and the `truth` [n, L]."""

    names: list[str]
    rows: NDArray[np.int64]
    spoke: NDArray[np.bool_]
    applied: Applied
    truth: NDArray[np.int8]


def outcome_of(replay: Replay) -> Outcome:
    world, log = replay.world, replay.log
    end = world.filed[-1]
    names = world.names(len(world))
    exclusive = world.exclusive(names, end, rows=len(world))
    rows = np.array([arrival.row for arrival in log.arrivals], np.int64)
    return Outcome(
        names,
        rows,
        np.array([not arrival.silent for arrival in log.arrivals], np.bool_),
        {
            who: np.array([[n in a.applied[who] for n in names] for a in log.arrivals], np.bool_)
            for who in WATCHING
        },
        world.truth(names, exclusive)[rows],
    )


def figures_of(replay: Replay) -> dict[str, Any]:
    """Everything that is reported of one replay, ready for JSON."""
    outcome, log, world = outcome_of(replay), replay.log, replay.world
    told = [one for found in world.corrections.values() for one in found]
    kinds = Counter(one.kind for one in told)
    slips = sum((one.issue_id, label) in world.slips for one in told for label in one.labels)
    return {
        "set": world.name,
        "history": world.start,
        "arrived": len(log.arrivals),
        "silent": int((~outcome.spoke).sum()),
        "labels": len(outcome.names),
        "corrections": {**{kind: kinds[kind] for kind in KINDS}, "labels that were slips": slips},
        "repeated": {str(near): repeated(outcome, replay, near=near) for near in NEAR},
        "corrected_right": corrected_right(log.taught),
        "past": past_right(replay),
        "past_by_whole_fits": past_on_the_way(log.taught),
        "measures": {who: _measures(outcome, who) for who in WATCHING},
        "over_time": {who: over_time(outcome, who) for who in WATCHING},
        "seconds": _seconds(log.taught),
        "refused": [
            {"kind": one.kind, "at": one.at.isoformat(), "why": one.objection}
            for one in log.taught
            if one.objection
        ],
        "refits": Counter(one.kind for one in log.taught),
    }


def repeated(outcome: Outcome, replay: Replay, *, near: float) -> dict[str, dict[str, int]]:
    """By sign of the correction ("removal": the label is wrong there too; "addition": it is missing there
    too): pairs of an issue that arrived after a correction was learned, and came at least so `near` to the
    corrected one, with its label and the same truth; how many each head had wrong. Each pair counts once.

    `spared`: wrong by the slow head alone; `spoiled`: wrong by the fast one alone. "collateral": pairs near
    a removal on which the label is right; wrong means that it is not applied.
    """
    world, learned = replay.world, replay.log.learned
    at = {name: column for column, name in enumerate(outcome.names)}
    found = {"removal": set(), "addition": set(), "collateral": set()}  # type: dict[str, set[tuple[int, int]]]
    place = {int(row): n for n, row in enumerate(outcome.rows)}
    for (row, label, sign), since in learned.items():
        if label not in at or row not in place or outcome.truth[place[row], at[label]] != sign:
            continue  # a slip
        cosine = world.vectors[outcome.rows] @ world.vectors[row]
        for n in np.flatnonzero(cosine >= near):
            truth = outcome.truth[n, at[label]]
            if world.filed[outcome.rows[n]] <= since or outcome.rows[n] == row or not truth:
                continue
            kind = "removal" if sign < 0 else "addition"
            if truth == sign:
                found[kind].add((int(n), at[label]))
            elif sign < 0:
                found["collateral"].add((int(n), at[label]))
    return {kind: _wrong(outcome, pairs) for kind, pairs in found.items()}


def _wrong(outcome: Outcome, pairs: set[tuple[int, int]]) -> dict[str, int]:
    if not pairs:
        return {"pairs": 0, **dict.fromkeys(WATCHING, 0), "spared": 0, "spoiled": 0}
    n, column = np.array(sorted(pairs)).T
    wanted = outcome.truth[n, column] > 0
    wrong = {who: outcome.applied[who][n, column] != wanted for who in WATCHING}
    return {
        "pairs": len(pairs),
        **{who: int(wrong[who].sum()) for who in WATCHING},
        "spared": int((wrong["slow"] & ~wrong["fast"]).sum()),
        "spoiled": int((wrong["fast"] & ~wrong["slow"]).sum()),
    }


def corrected_right(taught: Sequence[Taught]) -> dict[str, dict[str, int]]:
    """By kind: corrections, and how many the head that served after their refit had right; where the swap
    was refused that is the old head."""
    found: dict[str, dict[str, int]] = {kind: {"n": 0, "before": 0, "right": 0} for kind in KINDS}
    for one in taught:
        for kind, tally in one.trial.fresh.items() if one.trial else ():
            sums = found[kind]
            sums["n"] += tally.n
            sums["before"] += tally.before
            sums["right"] += tally.before if one.objection else tally.after
    return found


def past_right(replay: Replay) -> dict[str, Any]:
    """All corrections, by heads of the end that saw neither the issue nor its like, with their coverage of
    the issues judged; `never`: a bot that never applies."""
    world, head = replay.world, replay.heads["fast"]
    names = list(head.labels)
    end = world.filed[-1] + timedelta(days=365)
    known = world.known(names, end, rows=len(world), exclusive=head.exclusive)
    history, lessons, memory = replay.taught_by(names, known, head.memory, head.exclusive)
    if not lessons:
        return {}
    stale = [replace(lesson, fresh=False) for lesson in lessons]
    new = replace(head, memory=memory)
    trial = compare(head, new, history=history, lessons=stale, columns=range(len(names)))
    return {
        "coverage": trial.coverage_after,
        "precision": trial.precision_after,
        "by_kind": {
            kind: {"n": tally.n, "right": tally.after, "never": tally.n * (kind == "removal")}
            for kind, tally in sorted(trial.past.items())
        },
    }


def past_on_the_way(taught: Sequence[Taught]) -> dict[str, Any]:
    """The same as every whole fit found it on its day; a correction counts once in each."""
    trials = [one.trial for one in taught if one.kind == "whole" and one.trial]
    trials = [trial for trial in trials if trial.past]
    sums: dict[str, Counter[str]] = {}
    for trial in trials:
        for kind, tally in trial.past.items():
            never = tally.n * (kind == "removal")
            sums.setdefault(kind, Counter()).update(n=tally.n, right=tally.after, never=never)
    covered = [trial.coverage_after for trial in trials if trial.coverage_after is not None]
    return {
        "coverage": float(np.mean(covered)) if covered else None,
        "by_kind": {kind: dict(counts) for kind, counts in sorted(sums.items())},
    }


def over_time(outcome: Outcome, who: Who) -> list[dict[str, Any]]:
    """A measure of every `WINDOW` arrived issues, silent ones left out."""
    rows = np.flatnonzero(outcome.spoke)
    parts = [rows[begin : begin + WINDOW] for begin in range(0, len(rows), WINDOW)]
    return [
        {"until": int(part[-1]) + 1, **_measure(outcome, who, part).as_dict()} for part in parts
    ]


def _measures(outcome: Outcome, who: Who) -> dict[str, Any]:
    return _measure(outcome, who, np.flatnonzero(outcome.spoke)).as_dict()


def _measure(outcome: Outcome, who: Who, part: NDArray[np.int64]) -> Measure:
    return measure(outcome.applied[who][part], outcome.truth[part])


def _seconds(taught: Sequence[Taught]) -> dict[str, dict[str, float]]:
    """From a correction to the head that knows it: the wait, and then the refit on this machine."""
    refits = [one for one in taught if one.kind == "labels"]
    effect = [wait + one.wall for one in refits for wait in one.waits]
    return {
        "effect_wall": _spread(effect),
        "refit_wall": _spread([one.wall for one in refits]),
        "refit_cpu": _spread([one.cpu for one in refits]),
        "whole_wall": _spread([one.wall for one in taught if one.kind == "whole"]),
        "whole_cpu": _spread([one.cpu for one in taught if one.kind == "whole"]),
    }


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    p50, p95 = np.percentile(seconds, (50, 95))
    return {"n": len(seconds), "p50": float(p50), "p95": float(p95)}


def pooled_figures(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several replays taken as one: counts are summed, rates follow."""
    return {
        "set": "pooled",
        "repeated": {
            near: _sums([row["repeated"][near] for row in rows]) for near in map(str, NEAR)
        },
        "corrected_right": _sums([row["corrected_right"] for row in rows]),
        **{
            past: {"by_kind": _sums([row[past]["by_kind"] for row in rows if row[past]])}
            for past in ("past", "past_by_whole_fits")
        },
        "measures": {
            who: pooled(
                [Measure(**{k: row["measures"][who][k] for k in Measure.__slots__}) for row in rows]
            ).as_dict()
            for who in WATCHING
        },
    }


def _sums(found: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = {}
    for one in found:
        for kind, counts in one.items():
            sums.setdefault(kind, Counter()).update(counts)
    return {kind: dict(counts) for kind, counts in sums.items()}

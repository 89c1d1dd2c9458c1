"""The promise over time: heads refitted and cuts chosen again while issues arrive, by several policies.

Each repository is cut in time; what follows arrives in steps, each labelled by what was learned before
it. Says precision and coverage of each policy, with all later labels as evidence for cuts or only those
of a silent share. Sides are fitted on all human labels either way; only calibration and cuts differ.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.precision import open_encoder, replay_parser
from benchmarks.promise_steps import Step, kept_steps, make_steps
from bot.classify.calibrate import Combiner, cross_probabilities, fit_combiner
from bot.classify.choices import NEW_PAIRS, Earlier
from bot.classify.folds import BLOCKS
from bot.classify.promise import Promise, Scored, above, make_promise, winners
from bot.core.measure import Measure, measure, pooled
from bot.core.sequence import disproved
from bot.core.silence import silent
from bot.issues_file import by_repository, read_issues

TARGET, DELTA = 0.9, 0.05
CORRECTED = 0.7
"""Chance that a maintainer takes off a wrong label of ours; the monitor sees no other errors."""


@dataclass(frozen=True)
class Policy:
    """How cuts are chosen. `spent`: what the k-th choice that proves may use of delta. `hold`: what was
    proved stays while its record reaches the target, and only choices with new evidence prove. `window`:
    newest informed issues that count. `share`: silent share that evidence after the start comes from;
    None for all issues. `monitor`: tighten, and mute labels, on what practice disproves."""

    name: str
    spent: Callable[[int], float] = lambda choice: Earlier(choice).spends(DELTA)
    hold: bool = True
    window: int = 1500
    share: float | None = None
    monitor: bool = False
    once: bool = False


def whole(choice: int) -> float:  # noqa: ARG001
    return DELTA


def front(choice: int) -> float:
    """Four fifths for the first choice, the rest for all later ones."""
    return 0.8 * DELTA if choice == 1 else 0.2 * DELTA * 6 / (np.pi * (choice - 1)) ** 2


POLICIES = (
    Policy("once", once=True),
    Policy("anew, delta each", spent=whole, hold=False),
    Policy("anew, 6 delta / (pi k)^2", hold=False),
    Policy("held"),
    Policy("held, .8 first", spent=front),
    Policy("held, 800 newest", window=800),
    Policy("held, monitor", monitor=True),
    Policy("held, 800 newest, monitor", window=800, monitor=True),
    Policy("silent .2", share=0.2),
    Policy("silent .2, monitor", share=0.2, monitor=True),
    Policy("silent .2, 800 newest, monitor", share=0.2, window=800, monitor=True),
    Policy("silent .05, monitor", share=0.05, monitor=True),
    Policy("silent .05, 800 newest, monitor", share=0.05, window=800, monitor=True),
)


def main() -> None:
    options = _options()
    encode = open_encoder(options.bundle, options.cache)
    rows = []
    for path in options.files:
        for repo, issues in by_repository(read_issues(path, repo=options.repo)).items():
            if len(issues) < options.least:
                continue
            for share in options.share:
                name = f"{path.stem.split('.')[0]} {repo} {share:.0%}, {options.steps} refits"
                make = partial(make_steps, issues, encode, share, options.steps)
                steps = kept_steps(options.cache, f"{name} {options.bundle.resolve()}", make)
                rows.append({"set": name, **{p.name: _figures(steps, p) for p in POLICIES}})
                _show(rows[-1:])
                if options.json:
                    options.json.write_text(json.dumps(rows, indent=1))
    _show(rows)


def _options() -> argparse.Namespace:
    parser = replay_parser(__doc__, least=250)
    parser.add_argument(
        "--share", type=float, nargs="+", default=[0.5, 0.7], help="history's share"
    )
    parser.add_argument("--steps", type=int, default=10, help="refits while the rest arrives")
    return parser.parse_args()


def _figures(steps: Sequence[Step], policy: Policy) -> dict[str, Any]:
    by_step = list(_play(steps, policy))
    whole = pooled(by_step)
    return {
        **whole.as_dict(),
        "by_step": [(m.right, m.wrong, m.covered, m.issues) for m in by_step],
    }


def _play(steps: Sequence[Step], policy: Policy) -> Iterator[Measure]:
    """What each step's issues got."""
    if policy.once:
        first = replace(steps[0], stop=len(steps[0].known))
        combiner, promise = _choose(first, policy, Earlier(), first.start)
        yield measure(_applied(first, combiner, promise), first.known[first.start :])
        return
    watch, choice, known_then, earlier = _Watch(policy), 0, -NEW_PAIRS, Earlier()
    for step in steps:
        rows = _usable(step, policy, steps[0].start)
        pairs = int(
            (step.known[: step.start][_drawn(policy, step.start, steps[0].start)] != 0).sum()
        )
        due = pairs >= known_then + NEW_PAIRS
        choice, known_then = (choice + 1, pairs) if due else (choice, known_then)
        earlier = replace(earlier, choice=choice, proves=due or not policy.hold)
        combiner, promise = _choose(step, policy, earlier, steps[0].start, rows)
        here = step.known[step.start : step.stop]
        applied = _applied(step, combiner, promise)
        yield measure(applied, here)
        earlier = watch.next_terms(step, promise, applied & (here != 0), here)


def _drawn(policy: Policy, count: int, installed: int) -> NDArray[np.bool_]:
    """[count]: issues whose labels are evidence: all before the start, and the silent share of the rest."""
    drawn = np.ones(count, dtype=np.bool_)
    if policy.share is not None:
        drawn[installed:] = [silent(n, seed=1, share=policy.share) for n in range(installed, count)]
    return drawn


def _usable(step: Step, policy: Policy, installed: int) -> NDArray[np.bool_]:
    """Which of the scored rows may choose cuts."""
    drawn = _drawn(policy, step.start, installed)
    informed = np.flatnonzero(drawn & (step.known[: step.start] != 0).any(axis=1))
    oldest = informed[-policy.window] if len(informed) > policy.window else 0
    return np.asarray(drawn[step.rows] & (step.rows >= oldest))


def _choose(
    step: Step,
    policy: Policy,
    earlier: Earlier,
    installed: int,
    usable: NDArray[np.bool_] | None = None,
) -> tuple[Combiner, Promise]:
    kept = _usable(step, policy, installed) if usable is None else usable
    evidence, known = step.evidence[:, kept], step.known[step.rows[kept]]
    block = (np.arange(len(known)) * BLOCKS // max(1, len(known))).astype(np.int32)
    combiner = fit_combiner(evidence, known)
    p = cross_probabilities(evidence, known, block, start=combiner)
    promise = make_promise(
        Scored(p, known, block), step.known[: step.start], step.names,
        exclusive=step.exclusive, target=TARGET, delta=_whole_of(policy, earlier),
        earlier=replace(earlier, held=earlier.held if policy.hold else None),
    )  # fmt: skip
    return combiner, promise


def _whole_of(policy: Policy, earlier: Earlier) -> float:
    """The delta of which this choice's rightful part is what the policy lets it spend."""
    rightful = Earlier(earlier.choice).spends(1.0)
    return policy.spent(earlier.choice) / rightful


def _applied(step: Step, combiner: Combiner, promise: Promise) -> NDArray[np.bool_]:
    p = combiner.probabilities(step.arriving[:, : step.stop - step.start])
    return winners(p, step.names, step.exclusive) & above(p, [x.apply_at for x in promise.cuts])


class _Watch:
    """What practice shows of applied labels: errors on the silent share, and what maintainers take off."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rng = np.random.default_rng(0)
        self._seen: list[dict[str, tuple[int, int]]] = []
        """Per issue: label -> (errors seen, applied)."""

    def next_terms(
        self, step: Step, promise: Promise, applied: NDArray[np.bool_], known: NDArray[np.int8]
    ) -> Earlier:
        """`applied` [n, L]: pairs of known truth."""
        rank = promise.expectation.rank
        earlier = Earlier(held=rank)
        if not self._policy.monitor:
            return earlier
        for i, row in enumerate(applied):
            wrong = row & (known[i] < 0)
            if not silent(step.start + i, seed=1, share=self._policy.share or 0):
                wrong &= self._rng.random(len(row)) < CORRECTED
            self._seen.append({step.names[j]: (int(wrong[j]), 1) for j in np.flatnonzero(row)})
        set_lately = sorted({name for seen in self._seen for name in seen})
        level = DELTA / 2 / max(1, len(set_lately))
        broken = {n: "fell below" for n in set_lately if self._disproved([n], level)}
        tighter = self._disproved(None, DELTA / 2) and rank is not None
        if tighter:
            self._seen.clear()
        return replace(earlier, broken=broken, stricter_than=rank if tighter else None)

    def _disproved(self, labels: Sequence[str] | None, delta: float) -> bool:
        def total(seen: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
            chosen = [v for name, v in seen.items() if labels is None or name in labels]
            return sum(v[0] for v in chosen), sum(v[1] for v in chosen)

        counts = np.array([total(seen) for seen in self._seen], dtype=float).reshape(-1, 2)
        counts = counts[counts[:, 1] > 0]
        return disproved(counts[:, 0], counts[:, 1], target=TARGET, delta=delta)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table("set", "policy", "known", "precision", "coverage", "label recall")
    for row in rows:
        for policy in POLICIES:
            found = row[policy.name]
            rates = (found["precision"], found["coverage"], found["label_recall"])
            cells = ["" if rate is None else f"{rate:.3f}" for rate in rates]
            table.add_row(row["set"], policy.name, str(found["right"] + found["wrong"]), *cells)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()

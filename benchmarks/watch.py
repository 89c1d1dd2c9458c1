"""How soon the watch sees that corrections rose, and how often it sees what is not there.

    python -m benchmarks.watch

Simulated lives of a bundle, looked at after every issue; nothing is read or written.
"""

from __future__ import annotations

import numpy as np

from bot.core.watch import stakes_of
from bot.jobs.rollout.watching import ALPHA, WINDOWS

LIVES, ISSUES = 2000, 200


def main() -> None:
    limit = np.log(len(WINDOWS) / ALPHA)
    print(f"{ISSUES} new issues, {LIVES} lives, one window at {ALPHA / len(WINDOWS)}")
    print("rate before | times | old beside each | ever taken back | median issue")
    for rate in (0.02, 0.05, 0.1, 0.2):
        for ratio in (1.0, 1.5, 2.0, 3.0):
            for beside in (1, 4):
                taken, median = simulated(rate, ratio=ratio, beside=beside, limit=float(limit))
                print(f"{rate:.2f} | {ratio:.1f} | {beside} | {taken:.3f} | {median or '-'}")


def simulated(rate: float, *, ratio: float, beside: int, limit: float) -> tuple[float, int | None]:
    """Share of lives that ended by an alarm, and after how many issues half of those did."""
    random = np.random.default_rng(0)
    old = (random.random((LIVES, ISSUES, beside)) < rate).astype(float)
    new = (random.random((LIVES, ISSUES)) < rate * ratio).astype(float)
    alarmed = stakes_of(old, new) >= limit
    ended = alarmed.any(axis=-1)
    first = alarmed.argmax(axis=-1)[ended] + 1
    return float(ended.mean()), int(np.median(first)) if ended.any() else None


if __name__ == "__main__":
    main()

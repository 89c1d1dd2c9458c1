"""Does it learn? Real issues in their order, a simulated maintainer who corrects, and the product's own loop.

The first part of each set is history; the rest arrives one by one, is decided by the head of the moment, and
is corrected later with the chances given (`--habits REMOVE:ADD`, any number of them). Prints tables, and
writes JSON and a page with plots. Only what was given in files is read; vectors are kept under `--cache`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.learning_figures import figures_of, pooled_figures
from benchmarks.learning_loop import Replay
from benchmarks.learning_report import page, show
from benchmarks.learning_world import Encode, World
from benchmarks.maintainer import Habits
from benchmarks.precision import open_encoder, replay_parser
from bot.issues_file import FiledIssue, by_repository, read_issues


def main() -> None:
    options = _options()
    encode = open_encoder(options.bundle, options.cache)
    console, found = Console(width=150), []
    for path in options.files:
        for repo, issues in by_repository(read_issues(path, repo=options.repo)).items():
            if len(issues) < options.least:
                continue
            for habits in options.habits:
                name = f"{path.stem.split('.')[0]} {repo}"
                found.append(_replayed(name, issues, encode, habits, options))
                show(console, found[-1:])
                _write(found, options)
    show(console, [row["pooled"] for row in _write(found, options)["by_habits"]])


def _options() -> argparse.Namespace:
    parser = replay_parser(__doc__, least=250)
    parser.add_argument("--history", type=float, default=0.4, help="share before installation")
    parser.add_argument(
        "--habits", type=_habits, nargs="+", default=[Habits()], help="REMOVE:ADD, as in .7:.2"
    )
    parser.add_argument("--slip", type=float, default=Habits().slip)
    parser.add_argument("--silent", type=float, default=0.05, help="share of issues left alone")
    parser.add_argument("--whole", type=int, default=50, help="arrivals between whole fits")
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--html", type=Path, help="write the plots there")
    return parser.parse_args()


def _habits(text: str) -> Habits:
    remove, _, add = text.partition(":")
    return Habits(remove=float(remove), add=float(add))


def _replayed(
    name: str,
    issues: Sequence[FiledIssue],
    encode: Encode,
    habits: Habits,
    options: argparse.Namespace,
) -> dict[str, Any]:
    world = World(
        name,
        issues,
        start=int(options.history * len(issues)),
        encode=encode,
        habits=Habits(remove=habits.remove, add=habits.add, slip=options.slip),
        seed=options.seed,
        silent_share=options.silent,
    )
    replay = Replay(world, whole_every=options.whole, target=options.target)
    replay.run()
    return {
        "habits": f"{habits.remove:g}:{habits.add:g}",
        "seed": options.seed,
        "promised": options.target,
        "load": os.getloadavg()[0],
        **figures_of(replay),
    }


def _write(found: Sequence[dict[str, Any]], options: argparse.Namespace) -> dict[str, Any]:
    """Everything so far: a stop loses one replay."""
    by_habits: list[dict[str, Any]] = []
    for habits in dict.fromkeys(row["habits"] for row in found):
        rows = [row for row in found if row["habits"] == habits]
        whole = {"habits": habits, **pooled_figures(rows)}
        by_habits.append({"pooled": whole, "sets": rows})
    report = {"by_habits": by_habits}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    if options.html:
        options.html.write_text(page(found, target=options.target))
    return report


if __name__ == "__main__":
    main()

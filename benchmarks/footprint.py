"""What the product weighs: start of a worker until it is ready, resident memory, size of the install.

The receiver and the worker are the commands that production runs. Memory is read after the worker has
learned the sample repository and labelled its arrivals, and is the peak since its start.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path

import psutil
from packaging.requirements import Requirement
from rich.console import Console

from bot.demo.play import ensure_bundle, play
from bot.demo.scenario import sample_scenario
from bot.demo.stack import Stack, environment_of, running_stack
from bot.processes import running
from bot.settings import load_settings
from bot.store import beats


def main() -> None:
    options = _options()
    errors = Console(stderr=True)
    bundle = ensure_bundle(load_settings(), errors)
    with tempfile.TemporaryDirectory() as folder:
        starts = [_cold_start(bundle, Path(folder) / str(turn)) for turn in range(options.rounds)]
    figures = {
        "worker_start_s": {"median": statistics.median(starts), "all": starts},
        **_memory(bundle, errors),
        "install_mb": _install_size(),
    }
    print(json.dumps(figures, indent=None if options.json else 2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one line")
    return parser.parse_args()


def _cold_start(bundle: Path, home: Path) -> float:
    """Seconds from starting `labelwright worker` until it tells the database what it serves."""
    with running_stack(bundle=bundle, data_dir=home) as stack:
        environment = environment_of(stack.sandbox, home=home, bundle=bundle, port=0)
        before = _workers(stack)
        started = time.perf_counter()
        with running("worker", environment, log=home / "second.log"):
            while _workers(stack) == before:
                time.sleep(0.01)
            return round(time.perf_counter() - started, 2)


def _workers(stack: Stack) -> int:
    with stack.database.session() as session:
        return len(beats.fresh(session, within=timedelta(minutes=5)))


def _memory(bundle: Path, console: Console) -> dict[str, float]:
    with running_stack(bundle=bundle) as stack:
        play(stack, sample_scenario(), console)
        found = {}
        for process in psutil.Process().children(recursive=True):
            words = process.cmdline()
            if words[1:3] == ["-m", "bot.cli"]:
                status = Path(f"/proc/{process.pid}/status").read_text()
                found[f"{words[3]}_peak_mb"] = _kilobytes(status, "VmHWM") / 1024
                found[f"{words[3]}_resident_mb"] = _kilobytes(status, "VmRSS") / 1024
    return {name: round(value) for name, value in sorted(found.items())}


def _kilobytes(status: str, field: str) -> int:
    line = next(line for line in status.splitlines() if line.startswith(field))
    return int(line.split()[1])


def _install_size() -> dict[str, float]:
    """Megabytes of `pip install labelwright` without extras, the largest parts by name."""
    sizes: dict[str, float] = {}
    waiting = ["labelwright"]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in sizes:
            continue
        found = distribution(name)
        sizes[name] = sum(_size(Path(str(found.locate_file(file)))) for file in found.files or ())
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name)
    largest = sorted(sizes, key=lambda name: -sizes[name])[:6]
    return {"total": round(sum(sizes.values())), **{name: round(sizes[name]) for name in largest}}


def _size(path: Path) -> float:
    return path.stat().st_size / 2**20 if path.exists() else 0.0


if __name__ == "__main__":
    main()

"""Where a fit runs: one protocol, one file per place.

A launcher gets the directory of a run (`snapshot/`, `recipe.json`) and returns when its `fit/` is whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from bot.errors import GiveUp
from training.recipe_file import read_recipe
from training.snapshot.read import check_files

GRACE = 120
"""Seconds from SIGTERM to SIGKILL: enough to write a checkpoint of gigabytes."""
ENVIRONMENT: Mapping[str, str] = {
    # torchrun shares one store between rendezvous and ranks, and then loses restarts on one machine.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    # It kills ranks 30 seconds after SIGTERM; torch 2.11 does so whatever this says.
    "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(GRACE - 20),
}
"""What every torchrun is told."""
REFUSAL = "LABELWRIGHT_FIT_REFUSAL"
"""Variable with the path of a file, where ranks write why no retry can help; not there if one may."""

METRICS = "metrics.jsonl"
LATE = 4
"""Looks at a common disk after a job has ended."""

OnProgress: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Called again and again with the newest line of `metrics.jsonl`; what it raises stops the fit."""


@dataclass(frozen=True, slots=True)
class Work:
    """The files of a run."""

    directory: Path

    @property
    def snapshot(self) -> Path:
        return self.directory / "snapshot"

    @property
    def recipe(self) -> Path:
        return self.directory / "recipe.json"

    @property
    def out(self) -> Path:
        return self.directory / "fit"

    def check(self) -> None:
        """Raises UserError, before anything is started, for files that no fit can read."""
        read_recipe(self.recipe)
        check_files(self.snapshot)  # the fit reads what is in them

    def whole(self) -> bool:
        """`done.json` is the last file that a fit writes."""
        return (self.out / "done.json").is_file()

    def arrives(self, *, poll: float) -> bool:
        """Whether the fit of a job that has ended is whole: a common disk may tell that late."""
        for _ in range(LATE):
            if self.whole():
                return True
            time.sleep(poll)
        return self.whole()

    @property
    def refusal(self) -> Path:
        """Where ranks write why no further try can help."""
        return self.directory / "refusal.txt"

    def failure(self, told: str) -> FitFailed:
        """Why there is no fit: the ranks' own word, or else `told`."""
        if not self.refusal.is_file():
            return FitFailed(told)
        return FitRefused(f"{self.refusal.read_text('utf-8').strip()} ({told})")

    def arguments(self) -> list[str]:
        """What follows `torchrun`, wherever it is started."""
        files = {"--recipe": self.recipe, "--snapshot": self.snapshot, "--out": self.out}
        return ["-m", "training.fit", *(str(x) for pair in files.items() for x in pair)]

    def progress(self) -> dict[str, Any]:
        """The newest line of the fit's metrics that is whole; of its supervised twin's, which is fitted
        first, before there is one; empty before that."""
        twin = _newest(self.out / "twin" / METRICS)
        return _newest(self.out / METRICS) or (twin and twin | {"leg": f"twin {twin.get('leg')}"})


def _newest(metrics: Path) -> dict[str, Any]:
    for line in reversed(_end(metrics).splitlines()):
        try:
            told = json.loads(
                line, parse_constant=lambda _: None
            )  # no NaN goes into JSON elsewhere
        except ValueError:
            continue  # it is being written, or was cut at its start
        if isinstance(told, dict):
            return told
    return {}


def _end(path: Path, size: int = 65_536) -> str:
    """The last bytes of a file, as text; nothing where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - size))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


class FitFailed(GiveUp):
    """The fit ended badly; the message says where its log is."""


class FitRefused(FitFailed):
    """Nor would it end better elsewhere, or the next time."""


class Launcher(Protocol):
    """Brings a fit about, here or elsewhere."""

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        """Return when the fit is whole; at once where it was before.

        Raises:
            FitFailed: it will not get there.
        """
        ...

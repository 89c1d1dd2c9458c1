"""What a search leaves for people and for `training.fit`: the trials as JSON and as a table, the best recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.fit.checkpoint import write_whole
from training.recipe import Recipe
from training.recipe_file import recipe_text
from training.search.space import Values, with_values

BEST, TRIALS, TABLE = "recipe.json", "trials.json", "trials.md"
MEASURE = "macro average precision of refitted heads, mean over repositories, newest quarter of the training part"
CAUTION = (
    "The best of many on the same issues looks better than it is: fit its recipe, and let `evaluate` judge on "
    "issues that no trial saw."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A trial that ended."""

    number: int
    """The first is the recipe as it was given."""
    value: float | None
    """None: it ended early."""
    values: Values
    looks: tuple[float, ...]
    """At each quarter of a student's steps."""
    failed: str | None
    """Why, where its loss became no number or memory did not suffice."""
    seconds: float

    @property
    def state(self) -> str:
        if self.failed is not None:
            return "failed"
        return "pruned" if self.value is None else "done"


def best_of(rows: Sequence[Row]) -> Row | None:
    """The highest value; of equals the first."""
    done = [row for row in rows if row.value is not None]
    return max(done, key=lambda row: (row.value, -row.number), default=None)


def write_ledger(
    out: Path, rows: Sequence[Row], *, recipe: Recipe, identity: Mapping[str, str]
) -> None:
    """Each file whole or not at all; NotSaved if the disk is full."""
    best = best_of(rows)
    told: dict[str, Any] = {
        "recipe": recipe.name,
        "measure": MEASURE,
        "identity": dict(identity),
        "best": best.number if best is not None else None,
        "trials": [{**asdict(row), "state": row.state} for row in rows],
    }
    write_whole(out / TRIALS, (json.dumps(told, indent=1) + "\n").encode())
    write_whole(out / TABLE, table(rows, recipe=recipe, snapshot=identity["snapshot"]).encode())
    if best is not None:
        found = with_values(recipe, best.values, name=f"{recipe.name}-searched")
        write_whole(out / BEST, recipe_text(found).encode())


def table(rows: Sequence[Row], *, recipe: Recipe, snapshot: str) -> str:
    """Markdown, best first."""
    names = list(rows[0].values) if rows else []
    ranked = sorted(rows, key=lambda row: (-(row.value or 0.0), row.number))
    lines = [
        f"# Search from the recipe {recipe.name} on snapshot {snapshot}",
        "",
        f"{MEASURE}. Trial 0 is the recipe as given. {CAUTION}",
        "",
        _line(["trial", "value", "looks", *names, "seconds"]),
        _line(["---"] * (len(names) + 4)),
        *(_line(_cells(row, names)) for row in ranked),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    value = f"{row.value:.4f}" if row.value is not None else row.state
    looks = " ".join(f"{look:.3f}" for look in row.looks)
    told = [f"{row.values[name]:.4g}" for name in names]
    return [str(row.number), value, looks, *told, f"{row.seconds:.0f}"]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

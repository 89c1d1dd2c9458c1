"""Training steps of one process: issues a second, MFU and memory, bf16 against fp32, by encoder shape.

`python -m benchmarks.step_speed --shapes minilm base --batch 256 --peak 989`. Weights are random. MFU is
the arithmetic of the model alone (no recomputation) over `--peak`, the device's dense TFLOP/s in bf16
(an H200: 989); fp32 is held against the same number. On a CPU there is neither MFU nor memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.shapes import SHAPES, Shape, make_encoder, make_issues
from training.data import read_issues
from training.device import Device, find_device
from training.fit import fit_network
from training.recipe import Recipe, recipe_named
from training.task import make_task

WARM = 0.3
"""Share of the steps that is not timed."""


@dataclass(frozen=True, slots=True)
class Speed:
    issues_per_second: float
    mfu: float | None
    gigabytes: float | None


def main() -> None:
    options = _options()
    table = Table(title=f"batch {options.batch}, {options.tokens} tokens")
    for column in ("shape", "arithmetic", "issues/s", "MFU", "GB"):
        table.add_column(column, justify="right")
    for name in options.shapes:
        for precision in options.precisions:
            speed = measure(SHAPES[name], find_device(precision), options)
            figures = (f"{speed.issues_per_second:.1f}", _cell(speed.mfu), _cell(speed.gigabytes))
            table.add_row(name, precision, *figures)
    Console().print(table)


def measure(shape: Shape, device: Device, options: argparse.Namespace) -> Speed:
    """Whole steps of the loop that trains, all layers, texts of the full length."""
    recipe = replace(
        recipe_named("retrain"),
        max_tokens=options.tokens,
        batch=options.batch,
        frozen=0.0,
        epochs=1,
        min_steps=options.steps,
        max_passes=options.steps * options.batch,
        checkpointing=options.checkpointing,
        compile=options.compile,
    )
    seconds = _time_steps(shape, recipe, device)
    issues = options.batch / seconds
    if device.kind != "cuda":
        return Speed(issues, None, None)
    mfu = issues * shape.flops(options.tokens) / (options.peak * 1e12)
    return Speed(issues, mfu, torch.cuda.max_memory_allocated() / 1e9)


def _time_steps(shape: Shape, recipe: Recipe, device: Device) -> float:
    """Median seconds of a step; the loop reads each loss, so that the device has finished."""
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        base = make_encoder(Path(folder) / "encoder", shape)
        issues = read_issues(make_issues(Path(folder) / "issues.jsonl", 4 * recipe.batch))
        full = " ".join(f"w{i}" for i in range(recipe.max_tokens))
        long = [replace(x, text=replace(x.text, title=f"{x.text.title} {full}")) for x in issues]
        if device.kind == "cuda":
            torch.cuda.reset_peak_memory_stats()
        fit_network(
            make_task(long),
            recipe,
            seed=0,
            device=device,
            base=base,
            on_step=lambda *_: ends.append(time.perf_counter()),
        )
    return float(np.median(np.diff(ends[round(WARM * len(ends)) :])))


def _cell(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["minilm", "base"])
    parser.add_argument(
        "--precisions", nargs="+", choices=("bf16", "fp32"), default=["bf16", "fp32"]
    )
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--peak", type=float, default=989.0, help="TFLOP/s")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--compile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""A fit on 1 rank against 2 (or more): issues a second, efficiency, and whether the result is the same.

`python -m benchmarks.scaling --ranks 1 2`: gloo on a CPU, nccl on GPUs. The whole command is run under
torchrun, in the training environment; the figures are those of its own metrics, the first steps left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file

from benchmarks.shapes import SHAPES, make_encoder, make_issues
from training.recipe import recipe_named
from training.recipe_file import recipe_text
from training.snapshot.cut import cut_files


@dataclass(frozen=True, slots=True)
class Outcome:
    ranks: int
    issues_per_second: float
    weights: dict[str, np.ndarray]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _prepare(root, options)
        outcomes = [_run(root, ranks, options) for ranks in options.ranks]
    _show(outcomes, options)


def _prepare(root: Path, options: argparse.Namespace) -> None:
    encoder = make_encoder(root / "encoder", SHAPES[options.shape])
    issues = make_issues(root / "issues.jsonl", options.issues)
    cut_files([issues], root / "snapshot")
    recipe = replace(
        recipe_named("retrain"),
        encoder=str(encoder),
        precision=options.precision,
        batch=options.batch,
        epochs=1,
        min_steps=options.steps,
        max_passes=options.steps * options.batch,
    )
    (root / "recipe.json").write_text(recipe_text(recipe), encoding="utf-8")


def _run(root: Path, ranks: int, options: argparse.Namespace) -> Outcome:
    out = root / f"out{ranks}"
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={ranks}", "-m", "training.fit"),
            *("--recipe", str(root / "recipe.json"), "--snapshot", str(root / "snapshot")),
            *("--out", str(out), "--tracker", "none", "--save-every", "1000000"),
        ],
        env={
            **os.environ,
            "OMP_NUM_THREADS": str(options.threads),
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        },
        check=True,
    )
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return Outcome(ranks, _speed(lines), load_file(out / "encoder" / "model.safetensors"))


def _speed(lines: list[dict[str, float]]) -> float:
    """Issues a second after the first fifth; a line holds the mean time of all steps up to it."""
    first, last = lines[len(lines) // 5], lines[-1]
    elapsed = last["seconds_per_step"] * last["step"] - first["seconds_per_step"] * first["step"]
    return sum(line["issues"] for line in lines[len(lines) // 5 + 1 :]) / elapsed


def _show(outcomes: list[Outcome], options: argparse.Namespace) -> None:
    one = outcomes[0]
    table = Table(title=f"{options.shape}, batch {options.batch}, {options.precision}")
    for column in ("ranks", "issues/s", "efficiency", "largest difference of a weight"):
        table.add_column(column, justify="right")
    for outcome in outcomes:
        share = outcome.issues_per_second / one.issues_per_second * one.ranks / outcome.ranks
        gap = max(np.abs(outcome.weights[k] - one.weights[k]).max() for k in one.weights)
        speed = f"{outcome.issues_per_second:.1f}"
        table.add_row(str(outcome.ranks), speed, f"{share:.2f}", f"{gap:.1e}")
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shape", choices=SHAPES, default="minilm")
    parser.add_argument("--issues", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1, help="per rank")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="fp32")
    return parser.parse_args()


if __name__ == "__main__":
    main()

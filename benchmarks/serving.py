"""Issues a second and latency of the encoder with ten labels, beside SetFit and a zero-shot pipeline.

All on the same weights, the same texts and the same number of tokens, taking turns in one process.
Processor time stands beside the clock: it says the same on a machine that is busy with other things.
Run it in the training environment; it needs no network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# One thread means one: the tokenizers of all contestants would else take every core.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.issue_texts import full_texts, issue_texts, made_texts
from benchmarks.serving_peers import Predict, setfit_model, zero_shot_pipeline
from bot.classify.bundle import Backend, read_bundle
from bot.classify.encoder import Encoder
from bot.classify.session import open_session, open_tokenizer, token_ids

LABELS = ("bug", "feature", "question", "docs", "crash", "build", "ui", "api", "speed", "security")
TOKENS = 256


@dataclass(slots=True)
class Contestant:
    """Who predicts, and what it took.

    Rates are issues a second per round, latencies seconds per call, costs processor seconds per issue.
    """

    name: str
    texts: str
    """`full`: every text fills its tokens. `issues`: lengths as issues have them."""
    threads: int
    tokens: int
    predict: Predict = field(repr=False)
    count: int
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            **{
                key: getattr(self, key)
                for key in ("name", "texts", "threads", "tokens", "rates", "costs")
            },
            "issues_per_s": statistics.median(self.rates),
            "p50_ms": 1e3 * statistics.median(self.latencies),
            "cpu_ms": 1e3 * statistics.median(self.costs),
        }


def main() -> None:
    options = _options()
    if options.cold:
        return _cold(Path(options.cold), options.backend)
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle or _build(Path(folder))
        texts = {"full": full_texts(options.issues, options.count)}
        texts["issues"] = issue_texts(options.issues, options.count)
        rows = []
        for threads in options.threads:
            contestants = _contestants(bundle, Path(folder), threads=threads, options=options)
            _race(contestants, texts, rounds=options.rounds)
            rows += [contestant.row() for contestant in contestants]
        figures = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load": psutil.getloadavg()[0],
            "rounds": options.rounds,
            "rows": rows,
            "cpu_breakdown_ms": _breakdown(bundle, texts["full"], rounds=options.rounds),
            "cold": {name: _cold_start(bundle, name) for name in ("int8", "fp32")},
        }
    _report(figures, options.json)
    return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=32, help="texts a round")
    parser.add_argument("--slow-count", type=int, default=3, help="texts a round for zero-shot")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--issues", type=Path, help="JSONL (.gz) with title and body; ours if unset"
    )
    parser.add_argument("--bundle", type=Path, help="a built bundle; built anew if unset")
    parser.add_argument("--without-peers", action="store_true", help="only ours, without torch")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    parser.add_argument("--backend", default="int8", help=argparse.SUPPRESS)
    return parser.parse_args()


def _build(folder: Path) -> Path:
    from bot.classify.build import build_bundle
    from bot.classify.weights import find_base_weights

    return build_bundle(find_base_weights(), folder / "bundle").directory


def _contestants(
    bundle: Path, folder: Path, *, threads: int, options: argparse.Namespace
) -> list[Contestant]:
    weights, intercepts = _head(dim=read_bundle(bundle, files=()).manifest.dim)

    def ours(backend: Backend, tokens: int) -> Predict:
        encoder = Encoder.open(bundle, backend=backend, threads=threads, max_tokens=tokens)
        return lambda texts: encoder.encode(texts) @ weights.T + intercepts > 0

    def entry(name: str, texts: str, predict: Predict, **more: int) -> Contestant:
        values = {"tokens": TOKENS, "count": options.count, **more}
        return Contestant(name, texts, threads, predict=predict, **values)

    exact = ours("fp32", TOKENS)
    fast = {tokens: ours("int8", tokens) for tokens in (TOKENS, 192, 128)}
    found = [entry("int8", texts, fast[TOKENS]) for texts in ("full", "issues")]
    found.append(entry("fp32", "full", exact))
    found += [entry("int8", "full", fast[tokens], tokens=tokens) for tokens in (192, 128)]
    if not options.without_peers:
        setfit = setfit_model(weights, intercepts, threads=threads, tokens=TOKENS)
        found += [entry("SetFit", texts, setfit) for texts in ("full", "issues")]
        slow = zero_shot_pipeline(folder / "nli", LABELS, tokens=TOKENS)
        found.append(entry("zero-shot pipeline", "full", slow, count=options.slow_count))
    return found


def _head(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """One logistic regression a label, random: what it says is of no matter here."""
    draw = np.random.default_rng(0)
    return draw.normal(size=(len(LABELS), dim)).astype(np.float32), np.zeros(len(LABELS))


def _race(contestants: Sequence[Contestant], texts: dict[str, list[str]], *, rounds: int) -> None:
    """All in turn, round after round, so that a busy minute hits everyone; the first warms up."""
    for turn in range(rounds + 1):
        for contestant in contestants:
            mine = texts[contestant.texts][: contestant.count]
            spent = time.process_time()
            rate = len(mine) / _seconds(contestant.predict, mine)
            cost = (time.process_time() - spent) / len(mine)
            singles = [_seconds(contestant.predict, [text]) for text in mine[:4]]
            if turn:
                contestant.rates.append(rate)
                contestant.costs.append(cost)
                contestant.latencies += singles


def _seconds(predict: Predict, texts: list[str]) -> float:
    start = time.perf_counter()
    predict(texts)
    return time.perf_counter() - start


def _breakdown(bundle: Path, texts: list[str], *, rounds: int) -> dict[str, float]:
    """Where the processor time of one full text goes: milliseconds, medians."""
    found = read_bundle(bundle)
    tokenizer = open_tokenizer(found.tokenizer, max_tokens=TOKENS)
    session = open_session(found.model("int8"))
    encoder = Encoder.open(bundle)
    parts: dict[str, list[float]] = {"tokenise": [], "graph": [], "whole": []}
    clock = time.process_time
    for text in texts[:8] * rounds:
        start = clock()
        ids = token_ids(tokenizer, text, max_tokens=TOKENS)
        parts["tokenise"].append(clock() - start)
        start = clock()
        session.run(None, {"input_ids": ids})
        parts["graph"].append(clock() - start)
        start = clock()
        encoder.encode([text])
        parts["whole"].append(clock() - start)
    medians = {name: 1e3 * statistics.median(times) for name, times in parts.items()}
    return {**medians, "rest": medians["whole"] - medians["tokenise"] - medians["graph"]}


def _cold_start(bundle: Path, backend: str) -> dict[str, float]:
    """From the start of a process to the first vector, and what it holds after long texts."""
    command = [sys.executable, "-m", "benchmarks.serving", "--cold", str(bundle)]
    start = time.perf_counter()
    with subprocess.Popen([*command, "--backend", backend], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ready = time.perf_counter() - start
        return {"ready_s": ready, "resident_mb": float(process.stdout.readline())}


def _cold(bundle: Path, backend: Backend) -> None:
    encoder = Encoder.open(bundle, backend=backend, threads=2)
    encoder.encode(["ready"])
    print("ready", flush=True)
    encoder.encode(made_texts(64, median=4000, spread=1.0))
    print(psutil.Process().memory_info().rss / 2**20, flush=True)


def _report(figures: dict[str, Any], path: Path | None) -> None:
    table = Table(title=f"Ten labels, {figures['machine']}, medians of {figures['rounds']}")
    for heading in (
        "who",
        "texts",
        "tokens",
        "threads",
        "issues/s",
        "p50 ms",
        "CPU ms",
        "int8 faster",
        "CPU less",
    ):
        table.add_column(heading, justify="left" if heading in ("who", "texts") else "right")
    for row in figures["rows"]:
        table.add_row(
            *(str(row[key]) for key in ("name", "texts", "tokens", "threads")),
            f"{row['issues_per_s']:.1f}",
            f"{row['p50_ms']:.1f}",
            f"{row['cpu_ms']:.1f}",
            f"{_against_ours(figures['rows'], row, 'rates') ** -1:.2f}x",
            f"{_against_ours(figures['rows'], row, 'costs'):.2f}x",
        )
    console = Console(width=110)
    console.print(table)
    spent = figures["cpu_breakdown_ms"]
    console.print(
        "Processor time of one full text, ms: "
        + ", ".join(f"{k} {v:.2f}" for k, v in spent.items())
    )
    for backend, cold in figures["cold"].items():
        console.print(
            f"{backend}: first vector {cold['ready_s']:.2f} s after the start of the process, "
            f"{cold['resident_mb']:.0f} MB resident"
        )
    if path:
        path.write_text(json.dumps(figures, indent=2) + "\n")


def _against_ours(rows: list[dict[str, Any]], row: dict[str, Any], what: str) -> float:
    """This row against int8 at the full tokens, same texts and threads; median of round by round."""
    ours = next(
        other[what]
        for other in rows
        if (other["name"], other["tokens"]) == ("int8", TOKENS)
        and (other["texts"], other["threads"]) == (row["texts"], row["threads"])
    )
    return float(statistics.median(b / a for a, b in zip(ours, row[what], strict=True)))


if __name__ == "__main__":
    main()

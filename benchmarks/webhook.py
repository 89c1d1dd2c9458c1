"""How many signed deliveries a second the receiver makes durable, and how long each takes.

Three processes on one machine, as in production at its smallest: the receiver under uvicorn, an
embedded PostgreSQL that waits for the disk at every commit, and a load client with keep-alive
connections. Each round checks that nothing was lost and nothing stored twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.deliveries import Delivery, make_deliveries
from bot.store.engine import Database, open_database
from bot.store.migrate import migrate

SECRET = "benchmark"


@dataclass(frozen=True, slots=True)
class Round:
    """One run of all deliveries. CPU is in milliseconds per delivery."""

    acks_per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    lost: int
    doubled: int
    refused: int
    cpu_receiver_ms: float
    cpu_postgres_ms: float
    cpu_client_ms: float
    commits: int


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="labelwright-bench-"))
    database = open_database(folder, options.database_url)
    try:
        migrate(database)
        with _receiver(database) as (port, receiver):
            load_before = psutil.getloadavg()[0]
            rounds = [
                _round(database, port, receiver, options, seed=seed)
                for seed in range(options.rounds + 1)
            ][1:]  # the first warms up
            memory = receiver.memory_info().rss / 2**20
    finally:
        database.close()
        shutil.rmtree(folder)
    _report(rounds, options, memory=memory, load=load_before)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--duplicates", type=float, default=0.02)
    parser.add_argument("--database-url", help="instead of the embedded server")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--serve", nargs=2, metavar=("URL", "PORT"), help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=5, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _receiver(database: Database) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.webhook", "--serve", database.url, str(port)]
    process = subprocess.Popen(command)
    try:
        _wait_for(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the receiver did not come up")


def _serve(url: str, port: int) -> None:
    import uvicorn

    from bot.web.app import create_app

    app = create_app(Database(make_url(url)), webhook_secrets=["an older one", SECRET])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, access_log=False)


def _round(
    database: Database,
    port: int,
    receiver: psutil.Process,
    options: argparse.Namespace,
    *,
    seed: int,
) -> Round:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("TRUNCATE deliveries, procrastinate_jobs CASCADE")
        connection.execute("CHECKPOINT")
    arguments = [str(port), options.deliveries, options.connections, options.duplicates, seed]
    command = [sys.executable, "-m", "benchmarks.webhook", "--load", *map(str, arguments)]
    before = _cpu(receiver), _cpu(*_postgres(database)), _commits(database)
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    after = _cpu(receiver), _cpu(*_postgres(database)), _commits(database)
    sent = json.loads(ran.stdout)
    lost, doubled = _compare(database, sent)
    each = 1000 / options.deliveries
    return Round(
        acks_per_s=options.deliveries / sent["seconds"],
        p50_ms=sent["p50_ms"],
        p99_ms=sent["p99_ms"],
        max_ms=sent["max_ms"],
        lost=lost,
        doubled=doubled,
        refused=sent["refused"],
        cpu_receiver_ms=(after[0] - before[0]) * each,
        cpu_postgres_ms=(after[1] - before[1]) * each,
        cpu_client_ms=sent["cpu_s"] * each,
        commits=after[2] - before[2],
    )


def _compare(database: Database, sent: dict[str, int]) -> tuple[int, int]:
    with psycopg.connect(database.url) as connection:
        stored, jobs, distinct = connection.execute(
            "SELECT (SELECT count(*) FROM deliveries), count(*), count(DISTINCT args)"
            " FROM procrastinate_jobs"
        ).fetchall()[0]
    lost = sent["distinct"] - stored + sent["known"] - distinct
    return lost, jobs - distinct


def _postgres(database: Database) -> list[psutil.Process]:
    """The server's processes, told by their parent: the one that serves us."""
    with psycopg.connect(database.url) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        parent = backend.parent()
        return [] if parent is None else [parent, *parent.children()]


def _cpu(*processes: psutil.Process) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _commits(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        return int(row[0]) if row else 0


def _load(port: int, count: int, connections: int, duplicates: float, seed: int) -> None:
    deliveries, _ = make_deliveries(count, secret=SECRET, duplicates=duplicates, seed=seed)
    before = _cpu(psutil.Process())
    began = time.perf_counter()
    answers = asyncio.run(_send_all(port, deliveries, connections))
    seconds = time.perf_counter() - began
    waits = sorted(wait * 1000 for wait, _ in answers)
    known = {delivery.guid for delivery in deliveries if delivery.known}
    figures = {
        "seconds": seconds,
        "p50_ms": statistics.median(waits),
        "p99_ms": waits[int(len(waits) * 0.99)],
        "max_ms": waits[-1],
        "refused": sum(status != 202 for _, status in answers),
        "distinct": len({delivery.guid for delivery in deliveries}),
        "known": len(known),
        "cpu_s": _cpu(psutil.Process()) - before,
    }
    sys.stdout.write(json.dumps(figures))


async def _send_all(
    port: int, deliveries: list[Delivery], connections: int
) -> list[tuple[float, int]]:
    todo = iter(deliveries)
    answers: list[tuple[float, int]] = []

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for delivery in todo:
            began = time.perf_counter()
            writer.write(delivery.request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            answers.append((time.perf_counter() - began, int(head[9:12])))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(send_some() for _ in range(connections)))
    return answers


def _length(head: bytes) -> int:
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
    return int(fields[b"content-length"])


def _report(
    rounds: list[Round], options: argparse.Namespace, *, memory: float, load: float
) -> None:
    median = {
        name: statistics.median(asdict(one)[name] for one in rounds) for name in asdict(rounds[0])
    }
    _, size = make_deliveries(200, secret=SECRET, duplicates=0.0, seed=0)
    title = (
        f"{options.deliveries} deliveries of {size / 1024:.1f} KiB, {options.connections} "
        f"connections, {len(rounds)} rounds, {psutil.cpu_count()} cores, load before {load:.1f}"
    )
    table = Table("figure", "median", "rounds", title=title)
    for name, value in median.items():
        each = "  ".join(f"{asdict(one)[name]:.4g}" for one in rounds)
        table.add_row(name, f"{value:.4g}", each)
    table.add_row("receiver_rss_mib", f"{memory:.0f}", "")
    Console().print(table)
    if options.json:
        figures = {
            "median": {**median, "receiver_rss_mib": memory},
            "rounds": [asdict(one) for one in rounds],
            "deliveries": options.deliveries,
            "connections": options.connections,
            "body_bytes": size,
            "cores": psutil.cpu_count(),
            "load_before": load,
            "machine": platform.platform(),
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    given = _options()
    if given.serve:
        _serve(given.serve[0], int(given.serve[1]))
    elif given.load:
        port, count, connections, duplicates, seed = given.load
        _load(int(port), int(count), int(connections), float(duplicates), int(seed))
    else:
        main()

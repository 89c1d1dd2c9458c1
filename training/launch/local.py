"""torchrun on this machine, on all its GPUs; on a machine without one, one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from training.launch import FitFailed, OnProgress, Work

POLL = 0.5
GRACE = 120.0
"""Seconds from SIGTERM to SIGKILL: enough to write a checkpoint."""
TAIL = 20


@dataclass(frozen=True, slots=True)
class Local:
    """torchrun starts `ranks` processes; 0: one per GPU, or one where there is none."""

    ranks: int = 0
    restarts: int = 2
    """Ranks that died are started anew by torchrun so often, from the last checkpoint."""
    tries: int = 2
    """torchrun itself is started so often: its own restart fails now and then."""

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        if work.whole():
            return
        work.check()
        work.out.mkdir(parents=True, exist_ok=True)
        log = work.directory / "fit.log"
        for _ in range(self.tries):
            with log.open("ab") as output:
                self._try(work, output, on_progress)
            if work.whole():
                return
        raise FitFailed(f"The fit did not end well; {log} tells all. Its last lines:\n{tail(log)}")

    def command(self, work: Work) -> list[str]:
        ranks = self.ranks or max(1, gpus())
        how = ["--standalone", f"--nproc-per-node={ranks}", f"--max-restarts={self.restarts}"]
        return [sys.executable, "-m", "torch.distributed.run", *how, *work.arguments()]

    def _try(self, work: Work, output: BinaryIO, on_progress: OnProgress) -> None:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self.command(work),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,  # Ctrl-C reaches us alone: the ranks are told in order
        )
        try:
            while process.poll() is None:
                on_progress(work.progress())
                time.sleep(POLL)
        finally:
            stop(process)


def gpus() -> int:
    """So many are on this machine; torch is loaded only to be asked."""
    import torch

    return int(torch.cuda.device_count())


def environment() -> dict[str, str]:
    """torchrun shares one store between rendezvous and ranks, and then loses restarts on one machine."""
    return {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, time to save, then SIGKILL to the whole group; at once where nobody waits for that."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=GRACE)
    except BaseException as impatient:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(impatient, subprocess.TimeoutExpired):
            raise


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])

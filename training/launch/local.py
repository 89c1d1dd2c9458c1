"""torchrun on this machine, on all its GPUs; on a machine without one, one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

from training.launch import ENVIRONMENT, GRACE, REFUSAL, FitFailed, OnProgress, Work
from training.lock import holder

POLL = 0.5
TAIL = 20


@dataclass(frozen=True, slots=True)
class Local:
    """torchrun starts `ranks` processes; 0: one per GPU, or one where there is none."""

    ranks: int = 0
    restarts: int = 2
    """Ranks that died are started anew by torchrun so often, from the last checkpoint."""
    tries: int = 2
    """torchrun itself is started so often: its own restart fails now and then."""
    poll: float = POLL

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        if work.whole():
            return
        work.check()
        work.out.mkdir(parents=True, exist_ok=True)
        log = work.directory / "fit.log"
        for _ in range(self.tries):
            self._wait_for_others(work, on_progress)
            if work.whole():
                return
            work.refusal.unlink(missing_ok=True)
            with log.open("ab") as output:
                self._try(work, output, on_progress)
            if work.whole():
                return
            if work.refusal.is_file():
                raise work.failure(f"{log} tells all")
        raise FitFailed(f"The fit did not end well; {log} tells all. Its last lines:\n{tail(log)}")

    def command(self, work: Work) -> list[str]:
        ranks = self.ranks or max(1, gpus())
        how = ["--standalone", f"--nproc-per-node={ranks}", f"--max-restarts={self.restarts}"]
        return [sys.executable, "-m", "torch.distributed.run", *how, *work.arguments()]

    def _wait_for_others(self, work: Work, on_progress: OnProgress) -> None:
        """torchrun whose launcher was killed goes on: what it fits is ours too, once it is whole."""
        while (who := holder(work.out)) and not work.whole():
            on_progress({"waiting": f"for {who}, which fits here already", **work.progress()})
            time.sleep(self.poll)

    def _try(self, work: Work, output: BinaryIO, on_progress: OnProgress) -> None:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self.command(work),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment() | {REFUSAL: str(work.refusal)},
            start_new_session=True,  # Ctrl-C reaches us alone: the ranks are told in order
        )
        try:
            while process.poll() is None:
                on_progress(work.progress())
                time.sleep(self.poll)
        finally:
            stop(process)


def gpus() -> int:
    """So many are on this machine; torch is loaded only to be asked."""
    import torch

    return int(torch.cuda.device_count())


def environment() -> dict[str, str]:
    return {"OMP_NUM_THREADS": "1", **os.environ, **ENVIRONMENT}


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, time to save, then SIGKILL to torchrun and its ranks, whose sessions are their own; at once
    where nobody waits for that."""
    if process.poll() is not None:
        return
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=GRACE)
    except BaseException as impatient:
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
        if not isinstance(impatient, subprocess.TimeoutExpired):
            raise


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])

"""A SLURM cluster: one batch job over the nodes that were asked for, put back in the queue when preempted.

The run's directory has to lie where every node sees it.
"""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from training.launch import ENVIRONMENT, GRACE, REFUSAL, FitFailed, OnProgress, Work

log = logging.getLogger(__name__)

PORT = 29500
LIVING = {"PD", "CF", "R", "CG", "S", "ST", "RQ", "RH", "RS", "SO"}
POLL = 15.0
SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={gpus}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={log}
#SBATCH --signal=B:TERM@{grace}

{environment}
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun --kill-on-bad-exit=1 {python} -m torch.distributed.run \\
    --nnodes="$SLURM_NNODES" --nproc-per-node={ranks} --max-restarts=2 \\
    --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" --rdzv-endpoint="$first:{port}" \\
    {arguments} &
fit=$!

# The signal reaches this shell alone. The ranks save, and the job waits for its next turn.
preempted() {{
    kill -TERM "$fit"
    wait "$fit"
    [ -e {done} ] || scontrol requeue "$SLURM_JOB_ID"
    exit 0
}}
trap preempted TERM
wait "$fit"
"""


@dataclass(frozen=True, slots=True)
class Slurm:
    """Nodes and GPUs of each to ask for; without a GPU one rank a node, on its CPU."""

    nodes: int = 1
    gpus: int = 1
    poll: float = POLL

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        if work.whole():
            return
        work.check()
        script = work.directory / "fit.sbatch"
        script.write_text(self.script(work), encoding="utf-8")
        job = _submitted(work, script)
        while not work.whole():
            on_progress({"job": job, **work.progress()})
            time.sleep(self.poll)
            if not _waits_or_runs(job) and not work.arrives(poll=self.poll):
                _job(work).unlink(missing_ok=True)
                raise work.failure(f"SLURM job {job} ended without a model; {_log(work)} tells why")

    def script(self, work: Work) -> str:
        """The batch script: plain bash, for an operator to read and change."""
        return SCRIPT.format(
            name=shlex.quote(f"labelwright-{work.directory.name}"),
            nodes=self.nodes,
            gpus=self.gpus,
            ranks=max(1, self.gpus),
            log=shlex.quote(str(_log(work))),
            python=shlex.quote(sys.executable),
            port=PORT,
            grace=GRACE,
            environment="\n".join(
                f"export {name}={shlex.quote(value)}"
                for name, value in {**ENVIRONMENT, REFUSAL: str(work.refusal)}.items()
            ),
            arguments=shlex.join(work.arguments()),
            done=shlex.quote(str(work.out / "done.json")),
        )


def _log(work: Work) -> Path:
    return work.directory / "fit.log"


def _job(work: Work) -> Path:
    return work.directory / "fit.job"


def _submitted(work: Work, script: Path) -> str:
    """The job of this run: two of them would write into one directory."""
    if _job(work).is_file():
        job = _job(work).read_text(encoding="utf-8").strip()
        if _waits_or_runs(job):
            return job
    work.refusal.unlink(missing_ok=True)
    job = _told(["sbatch", "--parsable", str(script)]).partition(";")[0]
    _job(work).write_text(job, encoding="utf-8")
    return job


def _waits_or_runs(job: str) -> bool:
    """`squeue` names the state in two letters. A job that ended stays listed for a while and is an
    invalid id then; a controller that does not answer says nothing of the job."""
    try:
        words = ["squeue", "--noheader", "--format=%t", "--jobs", job, "--states", "all"]
        return bool(LIVING & set(_told(words).split()))
    except FitFailed as error:
        if "Invalid job id" in str(error):
            return False
        log.warning("job %s: %s", job, error)
        return True


def _told(command: list[str]) -> str:
    """What a command of SLURM prints."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
    except FileNotFoundError:
        raise FitFailed(f"{command[0]} is not on this machine; submit from a login node") from None
    except subprocess.CalledProcessError as error:
        raise FitFailed(f"{command[0]} refused: {error.stderr.strip()}") from None

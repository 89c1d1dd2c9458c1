"""`torchrun ... -m training.fit --recipe FILE --snapshot DIR --out DIR`: train an encoder on a snapshot.

Exit codes of a rank: 0 done, 2 bad input, 3 no retry helps as it is, 75 preempted (the same command
goes on). torchrun itself ends with 1 for any of the last three; after 2 and 3 it does not start ranks anew.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import psutil
import torch

from bot.errors import LabelwrightError, UserError
from training import distributed
from training.fit.run import Job, run
from training.fit.saver import Preempted
from training.launch import REFUSAL
from training.recipe_file import read_recipe
from training.trackers import AUTO

DONE, BAD_INPUT, GAVE_UP, PREEMPTED = 0, 2, 3, 75
SMALLER = (
    "Halve batch and double accumulate in the recipe, or set checkpointing = true; "
    "then give another --out."
)
TORCHRUN = {"torchrun", "torch.distributed.run"}
FIRST_WORD = 2.0
"""Seconds that the other ranks of a machine leave to the first one."""


def main(words: Sequence[str] | None = None) -> int:
    """One rank from its start to its end; what went wrong is said once a machine."""
    asked = _parse(words)
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with distributed.process_group(kind), _same_numbers(kind):
            job = Job(
                recipe=read_recipe(asked.recipe),
                snapshot=asked.snapshot,
                out=asked.out,
                tracker=asked.tracker,
                save_every=asked.save_every,
            )
            run(job)
    except torch.OutOfMemoryError as error:
        return _refuse(f"{error} {SMALLER}", GAVE_UP)
    except Preempted as stopped:
        if _first_here():
            sys.stderr.write(f"{stopped}\n")
        return PREEMPTED
    except LabelwrightError as error:
        return _refuse(str(error), BAD_INPUT if isinstance(error, UserError) else GAVE_UP)
    return DONE


@contextmanager
def _same_numbers(kind: str) -> Iterator[None]:
    """The same every time: on a GPU at the price of the fastest attention kernels."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    if kind == "cuda":
        torch.backends.cuda.enable_mem_efficient_sdp(False)
        torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _refuse(why: str, code: int) -> int:
    """The first rank of a machine says why and stops torchrun, which would try again all the same and now
    ends the others; one of them that is still there has a reason of its own, and does so itself."""
    if not _first_here():
        time.sleep(FIRST_WORD)
    sys.stderr.write(f"error: {why}\n")
    sys.stderr.flush()
    if REFUSAL in os.environ:
        Path(os.environ[REFUSAL]).write_text(why, encoding="utf-8")
    with suppress(psutil.Error):
        parent = psutil.Process(os.getppid())
        if TORCHRUN & {Path(word).name for word in parent.cmdline()[:3]}:
            parent.send_signal(signal.SIGTERM)
    return code


def _first_here() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="training.fit", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="TOML, YAML or JSON file")
    parser.add_argument("--snapshot", type=Path, required=True, help="directory of a snapshot")
    parser.add_argument("--out", type=Path, required=True, help="directory for encoder and metrics")
    parser.add_argument("--tracker", default=AUTO, help="auto, none, trackio, wandb, mlflow, ...")
    parser.add_argument("--save-every", type=int, default=200, help="steps between checkpoints")
    asked = parser.parse_args(words)
    if asked.save_every < 1:
        parser.error("--save-every: give one step at least")
    return asked


if __name__ == "__main__":
    sys.exit(main())

"""One rank of a run, as `python -m training.fit` is one; on its first life rank 1 is killed in a step
if `KILLED_IN` names it. In the step that `STOPPED_IN` names torchrun is told to stop, and saving is slow
from then on."""

from __future__ import annotations

import os
import signal
import sys
import time

import torch

from tests.training.terms import Probe, at
from training import distributed
from training.fit import checkpoint
from training.fit.__main__ import main
from training.fit.saver import Saver
from training.objectives import Clock
from training.objectives.registry import TERMS

TERMS["probe"] = Probe
save = Saver.save


def save_the_same(saver: Saver) -> None:
    """What rank 0 writes must be what every rank holds: all of them go on from it."""
    assert saver.learner is not None
    weights = [value.double() for value in saver.learner.network.state_dict().values()]
    first, *others = distributed.collect(torch.stack([value.sum() for value in weights]))
    assert all(torch.equal(first, other) for other in others), "the ranks hold other weights"
    save(saver)


Saver.save = save_the_same  # type: ignore[method-assign]
first_life = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
if first_life and os.environ["RANK"] == "1" and "KILLED_IN" in os.environ:
    Probe.on_step = staticmethod(at(1, int(os.environ["KILLED_IN"]), send=signal.SIGKILL))
if "STOPPED_IN" in os.environ:

    def stop(clock: Clock) -> None:
        if clock.step == int(os.environ["STOPPED_IN"]):
            os.kill(os.getppid(), signal.SIGTERM)
            checkpoint.os.fsync = lambda descriptor: time.sleep(float(os.environ["SAVING"]))

    Probe.on_step = staticmethod(stop)
sys.exit(main())

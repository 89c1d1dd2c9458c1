"""One rank of a run, as `python -m training.fit` is one; on its first life rank 1 is killed in a step
if `KILLED_IN` names it."""

from __future__ import annotations

import os
import signal
import sys

from tests.training.terms import Probe, at
from training.fit.__main__ import main
from training.objectives.registry import TERMS

TERMS["probe"] = Probe
first_life = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
if first_life and os.environ["RANK"] == "1" and "KILLED_IN" in os.environ:
    Probe.on_step = staticmethod(at(1, int(os.environ["KILLED_IN"]), send=signal.SIGKILL))
sys.exit(main())

"""How many processors are really ours: a container may see all of its host's and be given two."""

from __future__ import annotations

import math
from pathlib import Path

import torch

LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Quota and period of the container, https://docs.kernel.org/admin-guide/cgroup-v2.html"""


def use_cores(limit: Path = LIMIT) -> int:
    """Sets torch to as many threads as there is time for, never to more than it has (OMP_NUM_THREADS)."""
    threads: int = min(torch.get_num_threads(), granted(limit))
    torch.set_num_threads(threads)
    return threads


def granted(limit: Path) -> int:
    """Processors that the container may keep busy; very many where nothing limits it."""
    try:
        quota, period = limit.read_text().split()
        return max(math.ceil(int(quota) / int(period)), 1)
    except (OSError, ValueError):  # no such file, or "max"
        return 2**16

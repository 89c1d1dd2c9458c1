"""The training environment: torch and the peers that the bot never imports."""

from __future__ import annotations

import importlib.util
import os

# Set before torch or tokenizers start their threads: two cores, and tests that fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# In the bot's environment there is nothing to run here; `make test` runs these in their own.
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py", "runs"]

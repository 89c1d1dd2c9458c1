"""Peers that live on npm: installed once under `.cache/peers` at pinned versions. Where there is no npm, or it
cannot fetch them, the tests that need them are skipped, and say so."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / ".cache" / "peers"
PINS = {"emulate": "0.12.2", "node": "24", "@octokit/webhooks-examples": "7.6.1"}
INSTALL_TIMEOUT = 600


def _installed(package: str) -> bool:
    """At the pinned version, or at one the pin begins."""
    manifest = ROOT / "node_modules" / package / "package.json"
    if not manifest.is_file():
        return False
    version = json.loads(manifest.read_text())["version"]
    return f"{version}.".startswith(f"{PINS[package]}.")


def install(*packages: str) -> Path:
    """The folder of node modules that holds these packages."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on this machine; install Node to run the peers that live there")
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [f"{name}@{PINS[name]}" for name in packages if not _installed(name)]
        if missing:
            command = [npm, "install", "--prefix", str(ROOT), "--no-audit", "--no-fund", *missing]
            fetched = subprocess.run(
                command, timeout=INSTALL_TIMEOUT, capture_output=True, text=True, check=False
            )
            if fetched.returncode != 0:
                said = fetched.stderr.strip().splitlines() or ["nothing"]
                pytest.skip(f"npm could not fetch {', '.join(missing)}; it said: {said[0]}")
    return ROOT / "node_modules"

"""`labelwright replay` on anyone's issues: the real commands as processes, one JSON line at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ISSUES = 150
ARRIVING = ISSUES - int(0.7 * ISSUES)
PARTS = (
    "login page", "PDF export", "search box", "mail importer", "calendar", "invoice table",
    "backup job", "photo gallery", "chart legend", "keyboard shortcuts", "API client",
    "installer", "map view", "spell checker", "print dialog",
)  # fmt: skip
TROUBLE = (
    "crashes with a traceback when I save", "throws an error on an empty file",
    "stops working after the update", "fails with exit code 1", "shows a wrong total",
)  # fmt: skip
WISHES = (
    "please add a dark theme to it", "it would be nice to undo changes", "support more languages",
    "allow sorting by name", "an option to hide it would be great",
)  # fmt: skip
MEASURES = {
    "issues", "covered", "right", "wrong", "unknown", "positives",
    "precision", "unknown_share", "worst_case", "coverage", "label_recall",
}  # fmt: skip


@pytest.fixture
def described() -> None:
    """A replay brings its own stack."""


def issue(number: int) -> dict[str, object]:
    """Trouble and wishes by turns, about one part or another: easy enough for a promise to hold."""
    part, saying = PARTS[number % len(PARTS)], number // len(PARTS) % len(TROUBLE)
    trouble = number % 2 == 0
    says = TROUBLE[saying] if trouble else WISHES[saying]
    return {
        "repo": "acme/desk",
        "number": number,
        "title": f"{part.capitalize()}: {says}",
        "body": f"Seen in version {number % 7}.{number % 3}, in the {part}.",
        "labels": ["bug" if trouble else "feature"],
        "created_at": f"2024-{1 + number // 28:02d}-{1 + number % 28:02d}T12:00:00Z",
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's issues, a pull request among them."""
    path = tmp_path_factory.mktemp("replay") / "issues.jsonl"
    rows = [issue(number) for number in range(ISSUES)]
    rows.append({**issue(0), "number": 99_999, "is_pr": True})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def replay(file: Path, bundle: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LABELWRIGHT_BUNDLE": str(bundle),
    }
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "replay", str(file), *words],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_a_replay_ends_well_and_says_what_it_promised_and_got(
    file: Path, bundle: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    done = replay(file, bundle, home, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.keys() >= MEASURES | {"promised", "repositories", "latency_seconds"}
    assert told["issues"] == ARRIVING
    assert told["promised"] == [0.9]
    assert told["right"] + told["wrong"] + told["unknown"] > 0
    repository = told["repositories"]["acme/desk"]
    assert repository.keys() >= MEASURES | {"labels", "muted", "expected"}
    assert repository["expected"]["target"] == 0.9
    assert told["latency_seconds"]["p50"] > 0


def test_an_unknown_repository_is_named(file: Path, bundle: Path, tmp_path: Path) -> None:
    done = replay(file, bundle, tmp_path, "--repo", "acme/other")
    assert done.returncode == 2
    assert "no issues of acme/other" in done.stderr

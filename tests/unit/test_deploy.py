"""The files in deploy/ name commands, settings, paths and files that exist."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from bot.cli import app
from bot.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMMANDS = set(get_command(app).list_commands(None))  # type: ignore[attr-defined]
SETTINGS = {f"LABELWRIGHT_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
    return loaded


def deployed_texts() -> list[Path]:
    return [path for path in DEPLOY.rglob("*") if path.is_file()]


@pytest.mark.parametrize("path", deployed_texts(), ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    assert set(re.findall(r"\bLABELWRIGHT_[A-Z_]+", path.read_text())) <= SETTINGS


@pytest.mark.parametrize("path", deployed_texts(), ids=lambda path: path.name)
def test_every_command_that_is_named_exists(path: Path) -> None:
    named = re.findall(
        r"(?:`|bin/|worker )labelwright ([a-z]+)|run --rm worker ([a-z]+)", path.read_text()
    )
    assert {first or second for first, second in named} <= COMMANDS


@pytest.mark.parametrize("path", deployed_texts(), ids=lambda path: path.name)
def test_every_extra_that_is_installed_exists(path: Path) -> None:
    """pip only warns of one that does not."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = re.findall(r"pip install.*'\.\[([\w,]+)\]'", path.read_text())
    extras = {extra for found in named for extra in found.split(",")}
    assert extras <= project["optional-dependencies"].keys()


def test_compose_runs_the_three_processes_on_postgres() -> None:
    services = compose()["services"]
    commands = {name: s["command"] for name, s in services.items() if name != "database"}
    assert commands == {"web": ["serve"], "worker": ["worker"], "schedule": ["schedule"]}
    assert "pgvector" in services["database"]["image"]
    assert all("database" in services[name]["depends_on"] for name in commands)


def test_compose_builds_our_image_and_publishes_on_loopback_only() -> None:
    web = compose()["services"]["web"]
    assert (DEPLOY / web["build"]["context"] / web["build"]["dockerfile"]).is_file()
    assert all(port.startswith("127.0.0.1:") for port in web["ports"])


def test_what_is_promoted_is_seen_by_all_and_outlives_a_restart() -> None:
    """Bundles and runs lie in the data directory: the receiver lends runs from it, workers open bundles."""
    loaded = compose()
    services = [one for name, one in loaded["services"].items() if name != "database"]
    kept = {volume for one in services for volume in one["volumes"]}
    assert kept == {"data:/var/lib/labelwright"}
    assert "data" in loaded["volumes"]
    image = (DEPLOY / "Dockerfile").read_text()
    assert "LABELWRIGHT_DATA_DIR=/var/lib/labelwright" in image
    assert not any("/var/lib" in path for one in services for path in one["tmpfs"])


def test_the_image_copies_what_exists_and_ends_as_a_common_user() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if re.match(r"COPY (?!--from)", line)]
    assert all((REPOSITORY / name).exists() for names in copied for name in names)
    assert "USER labelwright" in lines
    assert not any("[training]" in line or "[nli]" in line for line in lines)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_as_its_own_user(path: Path) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text())
    program, command = unit["Service"]["ExecStart"].split()
    assert program.endswith("/bin/labelwright")
    assert command in COMMANDS
    assert unit["Service"]["User"] == "labelwright"
    assert unit["Service"]["ProtectSystem"] == "strict"


def test_the_page_names_every_unit_and_shows_no_file_that_is_missing() -> None:
    page = (DEPLOY / "README.md").read_text()
    assert {path.stem.split("@")[0] for path in UNITS} <= set(
        re.findall(r"labelwright-[a-z]+", page)
    )
    named = set(re.findall(r"deploy/([\w.-]+(?:\.yml|\.example))", page))
    assert all((DEPLOY / name).is_file() for name in named)

"""The documents say what the code does: commands, options, settings, paths, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from bot.cli import app
from bot.settings import Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([README, *(ROOT / "docs").rglob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text()
TOP_LEVEL = "bot|training|tests|docs|benchmarks|deploy"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def shell_lines(text: str) -> Iterator[str]:
    """The lines of every shell block, comments and prompts left out."""
    for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ").partition(" #")[0].strip()


def code_spans(text: str) -> list[str]:
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", outside)


def commands_in(document: Path, program: str) -> list[list[str]]:
    """Every call of a program that a document names, in words."""
    text = document.read_text()
    lines = [*shell_lines(text), *code_spans(text)]
    calls = (re.sub(r"^(\w+=\S+ )*(\.venv/bin/)?", "", line) for line in lines)
    return [shlex.split(call)[1:] for call in calls if re.match(rf"{program}( |$)", call)]


# -- commands -----------------------------------------------------------------------------------------


Command = Any
"""typer's own copy of click's; groups have `commands`."""


def resolve(words: list[str]) -> Command:
    """The command that words lead to. Raises KeyError for one that does not exist."""
    found = typer.main.get_command(app)
    for word in words:
        if not hasattr(found, "commands"):
            break
        if not word.startswith("-"):
            found = found.commands[word]
    return found


def options_of(command: Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_command_in_the_documents_exists(document: Path) -> None:
    for words in commands_in(document, "labelwright"):
        command = resolve([word for word in words if word not in ("|", "...")])
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= options_of(command), f"{document.name}: labelwright {' '.join(words)}"


def test_readme_names_the_commands_one_starts_with() -> None:
    assert ["replay", "issues.jsonl.gz", "--json"] in commands_in(README, "labelwright")
    assert {"demo", "test"} <= {words[0] for words in commands_in(README, "make")}


def test_every_command_says_what_it_is_for() -> None:
    commands: Command = typer.main.get_command(app)
    named = {**commands.commands, **commands.commands["models"].commands}
    assert "demo" in named
    assert [name for name, command in named.items() if not command.help] == []


# -- make ---------------------------------------------------------------------------------------------


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_make_target_in_the_documents_exists(document: Path) -> None:
    assert {words[0] for words in commands_in(document, "make") if words} <= targets()


def test_every_phony_target_is_there() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) <= targets()


def test_every_target_is_listed_by_help() -> None:
    assert set(re.findall(r"^([a-z-]+):.*## .", MAKEFILE, re.MULTILINE)) == targets()


def test_ci_uses_the_same_words() -> None:
    run = (ROOT / ".ci" / "run").read_text().splitlines()
    calls = [line.split()[1] for line in run if line.startswith("make ")]
    assert calls == ["lint", "test"]
    assert set(calls) <= targets()


# -- settings -----------------------------------------------------------------------------------------


def variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    assert not isinstance(alias, AliasChoices)
    return str(alias) if alias is not None else f"LABELWRIGHT_{name.upper()}"


def default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, SecretStr) or value is None or value == ():
        return ""
    return f"`{value}`"


def settings_table() -> str:
    """What docs/settings.md must hold; paste it there when this test fails."""
    rows = [
        f"| `{variable(name, field)}` | {default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| Variable | Default | What it is |", "|---|---|---|", *rows])


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert settings_table() in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_setting_in_the_documents_exists(document: Path) -> None:
    known = {variable(name, field) for name, field in Settings.model_fields.items()}
    assert set(re.findall(r"\bLABELWRIGHT_[A-Z_]+\b", document.read_text())) <= known


# -- paths and links ----------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_path_in_the_documents_exists(document: Path) -> None:
    paths = re.findall(rf"(?<![\w./~-])(?:{TOP_LEVEL})/[\w./-]*[\w/]", document.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_top_level_is_as_agreed() -> None:
    agreed = (
        "pyproject.toml bot training tests app.yml README.md LICENSE CHANGELOG.md Makefile docs"
    )
    assert [name for name in agreed.split() if not (ROOT / name).exists()] == []


def test_this_test_reads_something() -> None:
    """Shell blocks and code spans are really found: the checks above are not empty."""
    text = (
        "a `make lint` b\n```sh\n$ make test  # all\nX=1 labelwright replay a \\\n  --json\n```\n"
    )
    assert code_spans(text) == ["make lint"]
    assert list(shell_lines(text)) == ["make test", "X=1 labelwright replay a    --json"]

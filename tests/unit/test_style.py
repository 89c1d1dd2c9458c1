"""Habits of this house that no linter checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("bot", "training")
MAX_LINES = 500
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})
COMMANDS = ("bot/cli/", "training/cli/")
"""Import inside their functions what one command alone needs, so that each starts with only that:
`labelwright serve` without a model, `labelwright-train --help` without torch."""
LATER = ("TO" + "DO", "FIX" + "ME", "XX" + "X")


def files(*folders: str) -> list[str]:
    found = (path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in found)


EVERYTHING = files(*PACKAGES, "tests", "benchmarks")


def parsed(name: str) -> ast.Module:
    return ast.parse((REPOSITORY / name).read_text())


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_file_can_be_read_in_one_sitting(name: str) -> None:
    assert len((REPOSITORY / name).read_text().splitlines()) < MAX_LINES


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_module_is_named_after_what_it_is_for(name: str) -> None:
    assert not BANNED_NAMES & set(Path(name).with_suffix("").parts)


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_is_left_for_later(name: str) -> None:
    """`# TO DO` comments are; a label of that name in a test's data is not."""
    lines = (REPOSITORY / name).read_text().splitlines()
    comments = [line.partition("#")[2] for line in lines]
    assert [comment for comment in comments if comment.strip().startswith(LATER)] == []


@pytest.mark.parametrize("name", files(*PACKAGES))
def test_a_module_says_what_it_is_for(name: str) -> None:
    tree = parsed(name)
    assert ast.get_docstring(tree) or not tree.body


@pytest.mark.parametrize(
    "name", [name for name in files(*PACKAGES) if not name.startswith(COMMANDS)]
)
def test_own_packages_are_imported_at_the_top(name: str) -> None:
    """An import inside a function hides a circle; the shared noun belongs lower."""
    inside = [node for function in functions(parsed(name)) for node in ast.walk(function)]
    modules = [node.module or "" for node in inside if isinstance(node, ast.ImportFrom)]
    modules += [
        alias.name for node in inside if isinstance(node, ast.Import) for alias in node.names
    ]
    assert [module for module in modules if module.partition(".")[0] in PACKAGES] == []


@pytest.mark.parametrize("name", files(*PACKAGES))
def test_no_error_is_swallowed_unseen(name: str) -> None:
    handlers = [node for node in ast.walk(parsed(name)) if isinstance(node, ast.ExceptHandler)]
    silent = [
        handler.lineno
        for handler in handlers
        if (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
        and all(isinstance(statement, ast.Pass | ast.Continue) for statement in handler.body)
    ]
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    lengths = [
        (function.end_lineno or function.lineno) - function.lineno + 1
        for name in files(package)
        for function in functions(parsed(name))
    ]
    assert median(lengths) <= 12
    assert quantiles(lengths, n=10)[-1] <= 36

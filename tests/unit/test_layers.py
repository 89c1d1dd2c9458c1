"""The tree is the architecture: layers, circles, and where the heavy libraries may be imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

HEAVY = frozenset(
    {"torch", "transformers", "setfit", "sentence_transformers", "accelerate", "optimum"}
)

LAZY_IN_BOT = frozenset({"bot/classify/zeroshot.py"})
"""Imports them inside functions, for who installed the extra `nli`."""

HEAVY_IN_TRAINING = (
    "training/batches.py",
    "training/device.py",
    "training/distributed.py",
    "training/fit/",
    "training/lab/",
    "training/lora.py",
    "training/network.py",
    "training/objectives/",
    "training/scoring/cores.py",
    "training/scoring/model.py",
    "training/scoring/score.py",
)
"""Loaded by the processes that compute; the commands start without torch."""

WITHOUT_TORCH = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy}:
            raise ImportError(name + " is not for the bot")

sys.meta_path.insert(0, Refuse())
import bot
for module in pkgutil.walk_packages(bot.__path__, "bot."):
    if ".migrations" not in module.name:
        importlib.import_module(module.name)
"""


def test_the_import_contracts_hold() -> None:
    """They are in `.importlinter`; the output names the chain of imports that breaks one."""
    linted = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def heavy_imports(tree: ast.AST, *, top_level: bool) -> set[str]:
    """The heavy libraries that importing the file loads, or those that any line of it names."""
    nodes = _at_import(tree) if top_level else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found & HEAVY


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when a module is imported: no function bodies, no `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_import(child)


def sources(package: str) -> Iterator[tuple[str, ast.AST]]:
    for path in sorted((REPOSITORY / package).rglob("*.py")):
        yield path.relative_to(REPOSITORY).as_posix(), ast.parse(path.read_text())


def test_importing_the_bot_loads_no_heavy_library() -> None:
    found = {name: heavy_imports(tree, top_level=True) for name, tree in sources("bot")}
    assert {name: heavy for name, heavy in found.items() if heavy} == {}


def test_only_the_lazy_places_of_the_bot_name_a_heavy_library() -> None:
    found = {name for name, tree in sources("bot") if heavy_imports(tree, top_level=False)}
    assert found <= LAZY_IN_BOT


def test_training_loads_heavy_libraries_only_where_it_computes() -> None:
    found = {name for name, tree in sources("training") if heavy_imports(tree, top_level=True)}
    assert {name for name in found if not name.startswith(HEAVY_IN_TRAINING)} == set()


def test_every_module_of_the_bot_can_be_imported_without_torch() -> None:
    program = WITHOUT_TORCH.replace("{heavy}", repr(set(HEAVY)))
    imported = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr

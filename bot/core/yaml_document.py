"""YAML from strangers, read into plain values with the line of every key.

Refuses what a settings file has no need of and an attacker has: aliases, tags, several documents,
duplicate keys, deep nesting, more than 64 KB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from bot.errors import UserError

MAX_BYTES = 65_536
MAX_DEPTH = 8

Key = str | int
Path = tuple[Key, ...]


@dataclass(frozen=True)
class YamlDocument:
    """The value of a document and, for every path of keys in it, the line it starts on."""

    value: Any
    lines: dict[Path, int]

    @cached_property
    def keys(self) -> frozenset[Key]:
        return frozenset(key for path in self.lines for key in path)

    def line_of(self, path: Path) -> int:
        """The line of the key, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str) -> YamlDocument:
    """Raises UserError where the text is not the plain mapping it should be; {} for an empty one."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise UserError(f"the file is larger than {MAX_BYTES // 1024} KB")
    try:
        _check_events(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise UserError(_syntax_message(error)) from None
    lines: dict[Path, int] = {}
    value = {} if root is None else _value(root, (), lines)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise UserError("the file must hold `key: value` lines")
    return YamlDocument(value, lines)


def _check_events(text: str) -> None:
    """Walks the events, which takes no recursion, before anything is built from them."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UserError(f"line {line}: nested deeper than {MAX_DEPTH}")
        if documents > 1:
            raise UserError(f"line {line}: only one document is read; remove the second `---`")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(
                f"line {line}: aliases (`&name`, `*name`) are not supported; "
                'a pattern that starts with `*` needs quotes: "*"'
            )
        if getattr(event, "tag", None):
            raise UserError(f"line {line}: tags (`!name`) are not supported")


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, _line(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, i), lines) for i, item in enumerate(node.value)]
    return _scalar(node)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise UserError(f"line {line}: a key must be plain text")
        # The key as it is written: a label called `no` or `1.0` is not False or a number.
        key = str(key_node.value)
        if key in values:
            first = lines[(*path, key)]
            raise UserError(f"line {line}: key {key!r} is given twice, first on line {first}")
        lines[(*path, key)] = line
        values[key] = _value(value_node, (*path, key), lines)
    return values


def _scalar(node: yaml.Node) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node)
    except ValueError:  # such as the date 2024-99-99
        return str(node.value)


def _syntax_message(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    problem = getattr(error, "problem", None) or "it holds characters that YAML does not allow"
    in_alias = "alias" in f"{problem} {getattr(error, 'context', '')}"
    hint = ' (a pattern that starts with `*` needs quotes: "*")' if in_alias else ""
    return f"{where}not valid YAML: {problem}{hint}"

"""A reader for GraphQL queries: fields, aliases, arguments, variables and inline fragments. Refuses the
rest (mutations, named fragments, directives) by name. Grammar: https://spec.graphql.org/October2021/#sec-Document"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

TOKEN = re.compile(
    r'\s*(?:#[^\n]*\s*)*(\.\.\.|"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?|\w+|[{}()\[\]:!$=@])'
)


class QueryError(Exception):
    """The message for the caller's `errors`, and its type."""

    def __init__(self, message: str, kind: str = "PARSE_ERROR") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Field:
    """One selected field. Fields of inline fragments stand among their parent's."""

    name: str
    key: str
    args: Mapping[str, object] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()


def parse(query: str, variables: Mapping[str, object]) -> tuple[Field, ...]:
    """The selected fields of the one operation, variables filled in."""
    reader = _Reader(_tokens(query), variables)
    return reader.document()


def _tokens(query: str) -> list[str]:
    tokens, at = [], 0
    query = re.sub(r"(?:\s|,|#[^\n]*)+$", "", query).replace(",", " ")
    while at < len(query):
        hit = TOKEN.match(query, at)
        if hit is None:
            raise QueryError(f"Unexpected text at {query[at : at + 12]!r}")
        tokens.append(hit[1])
        at = hit.end()
    return tokens


class _Reader:
    """Reads tokens from the left. Holds only its place."""

    def __init__(self, tokens: list[str], variables: Mapping[str, object]) -> None:
        self._tokens = tokens
        self._at = 0
        self._variables = dict(variables)

    def document(self) -> tuple[Field, ...]:
        if self._peek() == "query":
            self._next()
            if self._peek() not in ("{", "("):
                self._next()
            if self._peek() == "(":
                self._definitions()
        fields = self._selection()
        if self._at < len(self._tokens):
            raise QueryError(f"Unexpected {self._peek()!r} after the query")
        return fields

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise QueryError("Unexpected end of document")
        self._at += 1
        return token

    def _expect(self, wanted: str) -> None:
        token = self._next()
        if token != wanted:
            raise QueryError(f"Expected {wanted!r}, found {token!r}")

    def _definitions(self) -> None:
        """`($name: Type! = default)`: only the defaults matter here."""
        self._expect("(")
        while self._peek() != ")":
            self._expect("$")
            name = self._next()
            self._expect(":")
            while self._peek() not in ("$", ")", "="):
                self._next()
            if self._peek() == "=":
                self._next()
                self._variables.setdefault(name, self._value())
        self._expect(")")

    def _selection(self) -> tuple[Field, ...]:
        self._expect("{")
        fields: list[Field] = []
        while self._peek() != "}":
            if self._peek() == "...":
                fields.extend(self._fragment())
            else:
                fields.append(self._field())
        self._expect("}")
        return tuple(fields)

    def _fragment(self) -> tuple[Field, ...]:
        self._expect("...")
        self._expect("on")
        self._next()  # its type: the name of a field tells enough here
        return self._selection()

    def _field(self) -> Field:
        key = name = self._name()
        if self._peek() == ":":
            self._next()
            name = self._name()
        args = self._arguments() if self._peek() == "(" else {}
        fields = self._selection() if self._peek() == "{" else ()
        return Field(name, key, args, fields)

    def _name(self) -> str:
        token = self._next()
        if not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise QueryError(f"Expected a name, found {token!r}")
        return token

    def _arguments(self) -> dict[str, object]:
        self._expect("(")
        args: dict[str, object] = {}
        while self._peek() != ")":
            name = self._name()
            self._expect(":")
            args[name] = self._value()
        self._expect(")")
        return args

    def _value(self) -> object:
        word = self._next()
        if word == "$":
            return self._variables.get(self._next())
        if word == "[":
            return self._items()
        if word == "{":
            return self._entries()
        if word in ("true", "false", "null") or word[0] in '"-0123456789':
            return json.loads(word)
        return word

    def _items(self) -> list[object]:
        items = []
        while self._peek() != "]":
            items.append(self._value())
        self._expect("]")
        return items

    def _entries(self) -> dict[str, object]:
        entries: dict[str, object] = {}
        while self._peek() != "}":
            name = self._name()
            self._expect(":")
            entries[name] = self._value()
        self._expect("}")
        return entries

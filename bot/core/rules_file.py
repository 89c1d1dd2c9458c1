"""The shape of `.github/labelwright.yml`, strict and polite: every refusal is a `UserError` that
names the key, its line, what was given and what is allowed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from bot.core.patterns import has_wildcard
from bot.core.types import Mode
from bot.core.yaml_document import Path, YamlDocument, read_yaml
from bot.errors import UserError

MAX_PATTERNS = 200


def _pattern(value: str) -> str:
    text = value.strip()
    if not text or not text.isprintable():
        raise ValueError("a pattern needs characters that can be read, on one line")
    if text.startswith("!"):
        raise ValueError("patterns cannot start with `!`; list the pattern under `exclude`")
    return text


Pattern = Annotated[str, Field(max_length=100), AfterValidator(_pattern)]
Patterns = Annotated[list[Pattern], Field(max_length=MAX_PATTERNS)]
LabelName = Annotated[str, Field(min_length=1, max_length=100)]


def _alone(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _group(value: list[str]) -> list[str]:
    if not value or (len(value) == 1 and not has_wildcard(value[0])):
        raise ValueError("a group needs two labels, or a pattern such as `kind/*`")
    return value


Group = Annotated[
    Patterns,
    BeforeValidator(_alone, json_schema_input_type=Pattern | Patterns),
    AfterValidator(_group),
]


class _Strict(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class LabelEntry(_Strict):
    """What the rules say of one label."""

    description: Annotated[str, Field(max_length=500)] | None = None
    """What the label means, in words, where the repository's own description does not say it."""
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Apply at this probability, whatever the bot found out by itself."""
    never: bool = False
    """Never set or suggest this label."""


class RulesFile(_Strict):
    """Rules of Labelwright for one repository: .github/labelwright.yml"""

    mode: Mode = "apply"
    """Set labels, only suggest them, or only record what would have been done."""
    precision: Annotated[float, Field(ge=0.5, le=0.99)] = 0.9
    """Share of applied labels that should be right."""
    include: Annotated[list[Pattern], Field(min_length=1, max_length=MAX_PATTERNS)] = ["*"]
    """Labels to learn; a pattern other than `*` also brings back a process label."""
    exclude: Patterns = []
    """Labels to leave alone, beside the built-in list of process labels."""
    labels: dict[LabelName, LabelEntry | None] = {}
    """What to know about single labels."""
    families: dict[LabelName, Patterns] = {}
    """Labels that answer one question together, where their prefixes do not show it."""
    exclusive: Annotated[list[Group], Field(max_length=MAX_PATTERNS)] = []
    """Groups of which an issue carries one label at most."""
    unsure: LabelName | None = None
    """Label to put on an issue on which nothing was applied."""
    ignore_authors: Patterns = []
    """Authors whose issues are left alone."""
    suggestions: Literal["native", "comment", "none"] = "native"
    """Where to suggest: in GitHub's own list, else in a comment with boxes, or nowhere."""
    commands: bool = True
    """Obey commands in comments."""
    on_edit: Literal["ignore", "reconsider"] = "ignore"
    """What to do when an issue's text is edited."""
    zero_shot: Literal["suggest", "apply"] = "suggest"
    """What to do with labels for which there is no proof yet."""
    share_for_training: bool = False
    """Let the issues of this repository train the language model of the installation."""
    silent_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of new issues to leave alone, as evidence of what maintainers do by themselves."""

    @model_validator(mode="after")
    def _unsure_is_usable(self) -> RulesFile:
        entry = self.labels.get(self.unsure) if self.unsure else None
        if entry is not None and entry.never:
            raise ValueError(f"`unsure` names {self.unsure!r}, which `labels` says never to set")
        return self


def read_rules_file(text: str) -> RulesFile:
    document = read_yaml(text)
    try:
        return RulesFile.model_validate(document.value)
    except ValidationError as error:
        raise UserError(_message(error, document)) from None


def _message(error: ValidationError, document: YamlDocument) -> str:
    """The first thing wrong, in the words of somebody who wants it fixed."""
    first = error.errors()[0]
    # Pydantic adds "[key]" to the path where the key itself is at fault.
    path = tuple(key for key in first["loc"] if key != "[key]")
    where = f"line {document.line_of(path)}: " if path else ""
    if first["type"] == "extra_forbidden":
        return f"{where}unknown key {_name(path)}{_nearest(path)}"
    if first["type"] == "value_error":
        return f"{where}{_name(path)}: {first['ctx']['error']}"
    given = "empty" if first["input"] is None else repr(first["input"])[:80]
    return f"{where}{_name(path)} is {given}; {_allowed(first['type'], first.get('ctx', {}))}"


def _name(path: Path) -> str:
    """`labels.bug.threshold`, or `include, entry 2`."""
    keys = ".".join(str(key) for key in path if isinstance(key, str))
    entries = "".join(f", entry {key + 1}" for key in path if isinstance(key, int))
    return f"`{keys}`{entries}" if keys else "the file"


def _nearest(path: Path) -> str:
    model: type[BaseModel] = LabelEntry if len(path) > 1 else RulesFile
    known = list(model.model_fields)
    close = get_close_matches(str(path[-1]).lower().replace("-", "_"), known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(known)}"


def _allowed(kind: str, context: dict[str, Any]) -> str:
    bounds = {
        "greater_than_equal": "it must be at least {ge}",
        "greater_than": "it must be more than {gt}",
        "less_than_equal": "it must be at most {le}",
        "literal_error": "it must be {expected}",
        "too_short": "it needs at least {min_length}",
        "too_long": "it may hold at most {max_length}",
        "string_too_short": "it needs at least {min_length} character",
        "string_too_long": "it may have at most {max_length} characters",
        "string_type": 'it must be text; write it in quotes: "..."',
        "float_type": "it must be a number",
        "bool_type": "it must be true or false",
        "list_type": "it must be a list",
        "dict_type": "it must hold `key: value` lines",
        "model_type": "it must hold `key: value` lines",
    }
    return bounds.get(kind, "it cannot be used").format(**context)

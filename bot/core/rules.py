"""What a repository asks of the bot: `.github/labelwright.yml` as a value with quiet defaults.

Refuses to read files; the shape of the file and its messages are in `bot.core.rules_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from bot.core.patterns import matches_any
from bot.core.process_labels import DEFAULT_PROCESS_LABELS
from bot.core.rules_file import RulesFile, read_rules_file
from bot.core.types import Mode

_BUILT_IN = frozenset(("*", *DEFAULT_PROCESS_LABELS))
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LabelRule:
    """What the rules say of one label."""

    description: str | None = None
    threshold: float | None = None
    never: bool = False


_NO_RULE = LabelRule()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one repository; `Rules()` is what a repository without a file gets: labels only,
    at precision .9, no comments, nothing done on edits, text not shared, one issue in twenty left alone."""

    mode: Mode = "apply"
    precision: float = 0.9
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = DEFAULT_PROCESS_LABELS
    labels: Mapping[str, LabelRule] = field(default_factory=lambda: _NOTHING)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    exclusive: tuple[tuple[str, ...], ...] = ()
    unsure: str | None = None
    ignore_authors: tuple[str, ...] = ()
    suggestions: Literal["native", "comment", "none"] = "native"
    commands: bool = True
    on_edit: Literal["ignore", "reconsider"] = "ignore"
    zero_shot: Literal["suggest", "apply"] = "suggest"
    share_for_training: bool = False
    silent_share: float = 0.05

    def of_label(self, name: str) -> LabelRule:
        """The rule for a label, found in any case, as GitHub does; an empty one if there is none."""
        if rule := self.labels.get(name):
            return rule
        wanted = name.casefold()
        return next((r for n, r in self.labels.items() if n.casefold() == wanted), _NO_RULE)

    def names_label(self, name: str) -> bool:
        return any(n.casefold() == name.casefold() for n in self.labels)

    def ignores_author(self, login: str) -> bool:
        return matches_any(login, self.ignore_authors)

    def family_of(self, name: str) -> str | None:
        """The family that the rules put a label in; None where they leave it to its prefix."""
        return next(
            (f for f, patterns in self.families.items() if matches_any(name, patterns)), None
        )


def learnable(label_name: str, rules: Rules) -> bool:
    """Whether the bot learns and sets a label: the most particular thing said of it decides.

    From the most particular: `never`, an entry of its own, the file's `exclude`, a pattern of
    `include` other than `*`, the built-in list of process labels, `*`.
    """
    if rules.of_label(label_name).never or _same(label_name, rules.unsure):
        return False
    if rules.names_label(label_name):
        return True
    if matches_any(label_name, _own(rules.exclude)):
        return False
    if matches_any(label_name, _own(rules.include)):
        return True
    return "*" in rules.include and not matches_any(label_name, rules.exclude)


@lru_cache(maxsize=1024)
def _own(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns that somebody wrote, without those that stand there by default."""
    return tuple(pattern for pattern in patterns if pattern not in _BUILT_IN)


def _same(name: str, other: str | None) -> bool:
    return other is not None and name.casefold() == other.casefold()


def parse_rules(text: str) -> Rules:
    """The rules in `text`, the YAML of a repository's rules file. An empty file gives `Rules()`.

    Raises:
        UserError: the file cannot be used; the message names the key, its line, what was given and
            what is allowed.
    """
    file = read_rules_file(text)
    return Rules(
        mode=file.mode,
        precision=file.precision,
        include=tuple(file.include),
        exclude=(*file.exclude, *DEFAULT_PROCESS_LABELS),
        labels=MappingProxyType({name: _label_rule(name, file) for name in file.labels}),
        families=MappingProxyType({name: tuple(group) for name, group in file.families.items()}),
        exclusive=tuple(tuple(group) for group in file.exclusive),
        unsure=file.unsure,
        ignore_authors=tuple(file.ignore_authors),
        suggestions=file.suggestions,
        commands=file.commands,
        on_edit=file.on_edit,
        zero_shot=file.zero_shot,
        share_for_training=file.share_for_training,
        silent_share=file.silent_share,
    )


def _label_rule(name: str, file: RulesFile) -> LabelRule:
    said = file.labels[name]
    return LabelRule(said.description, said.threshold, said.never) if said else _NO_RULE


def rules_schema() -> dict[str, Any]:
    """The JSON schema of the rules file, as published in docs/rules.schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RulesFile.model_json_schema(),
    }

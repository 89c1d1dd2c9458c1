"""The rules file: quiet defaults, strict and polite reading, what is learnable."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.patterns import has_wildcard, matches_any, plain_name
from bot.core.process_labels import DEFAULT_PROCESS_LABELS
from bot.core.rules import LabelRule, Rules, learnable, parse_rules, rules_schema
from bot.core.rules_file import RulesFile
from bot.core.yaml_document import MAX_BYTES
from bot.errors import UserError

DOCS = Path(__file__).parents[2] / "docs"


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse_rules(text)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "{}"])
def test_a_file_that_says_nothing_gives_the_defaults(text: str) -> None:
    assert parse_rules(text) == Rules()


def test_the_defaults_are_quiet() -> None:
    rules = Rules()
    assert (rules.mode, rules.precision, rules.on_edit) == ("apply", 0.9, "ignore")
    assert (rules.zero_shot, rules.share_for_training, rules.unsure) == ("suggest", False, None)


def test_every_key_is_read() -> None:
    rules = parse_rules(
        """
        mode: dry-run
        precision: 0.95
        include: ["area/*", "kind/*"]
        exclude: [wip]
        labels:
          area/docs: {description: Words for people, threshold: 0.8}
          bug: {never: true}
          feature:
        families: {part: ["area/*", docs]}
        exclusive: ["kind/*", [small, large]]
        unsure: to-sort
        ignore_authors: ["renovate[bot]"]
        on_edit: reconsider
        zero_shot: apply
        share_for_training: true
        """
    )
    assert rules.labels == {
        "area/docs": LabelRule("Words for people", 0.8),
        "bug": LabelRule(never=True),
        "feature": LabelRule(),
    }
    assert rules == Rules(
        mode="dry-run",
        precision=0.95,
        include=("area/*", "kind/*"),
        exclude=("wip", *DEFAULT_PROCESS_LABELS),
        labels=rules.labels,
        families={"part": ("area/*", "docs")},
        exclusive=(("kind/*",), ("small", "large")),
        unsure="to-sort",
        ignore_authors=("renovate[bot]",),
        on_edit="reconsider",
        zero_shot="apply",
        share_for_training=True,
    )


def test_the_file_and_the_value_have_the_same_keys() -> None:
    assert set(RulesFile.model_fields) == {field.name for field in fields(Rules)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mode: apply\nmodes: apply", ["line 2", "`modes`", "did you mean 'mode'"]),
        ("on-edit: ignore", ["`on-edit`", "did you mean 'on_edit'"]),
        ("qqq: 1", ["`qqq`", "known are mode, precision"]),
        ("labels:\n  bug:\n    treshold: .5", ["line 3", "`labels.bug.treshold`", "'threshold'"]),
        ("mode: shout", ["`mode`", "'shout'", "'apply', 'suggest' or 'dry-run'"]),
        ("precision: 1.2", ["`precision`", "1.2", "at most 0.99"]),
        ("precision: .4", ["`precision`", "0.4", "at least 0.5"]),
        ("precision: true", ["`precision`", "True", "a number"]),
        ("labels: {bug: {threshold: 0}}", ["`labels.bug.threshold`", "more than 0"]),
        ("labels: {bug: {never: 1}}", ["`labels.bug.never`", "true or false"]),
        ("labels: [bug]", ["`labels`", "`key: value`"]),
        ("labels: {bug: 3}", ["`labels.bug`", "3", "`key: value`"]),
        ("include: []", ["`include`", "at least 1"]),
        ("include: bug", ["`include`", "'bug'", "a list"]),
        ('include:\n  - "*"\n  - 2.16', ["line 3", "entry 2", "2.16", "quotes"]),
        ("exclude:", ["`exclude`", "empty", "a list"]),
        ('exclude: [" "]', ["`exclude`", "entry 1", "characters"]),
        ('exclude: ["!bug"]', ["`exclude`", "entry 1", "cannot start with `!`"]),
        ("exclude: [" + "x" * 101 + "]", ["entry 1", "at most 100 characters"]),
        ("exclude: [" + "x, " * 201 + "]", ["`exclude`", "at most 200"]),
        ("exclusive: [bug]", ["`exclusive`", "entry 1", "two labels"]),
        ("exclusive: [[bug, 3]]", ["`exclusive`", "entry 1, entry 2", "text"]),
        ("unsure: x\nlabels: {x: {never: true}}", ["`unsure`", "never"]),
        ("- bug", ["`key: value`"]),
        ("mode: apply\n\nmode: suggest", ["line 3", "'mode'", "twice", "line 1"]),
        ("labels: {bug: {}, bug: {}}", ["'bug'", "twice"]),
        ("? [a]\n: b", ["line 1", "plain text"]),
        ("a: &x [1]\nb: *x", ["line 1", "aliases"]),
        ("include: [*]", ["line 1", "quotes"]),
        ("mode: !!python/object/apply:os.getcwd []", ["line 1", "tags"]),
        ("mode: apply\n---\nmode: apply", ["line 2", "one document"]),
        ('mode: "apply', ["line 1", "YAML"]),
        ("mode: \x00", ["characters", "YAML"]),
        ("[" * 5_000, ["nested"]),
        ("#" * (MAX_BYTES + 1), ["larger than 64 KB"]),
    ],
)
def test_a_refusal_names_the_key_and_what_is_allowed(text: str, words: list[str]) -> None:
    message = refusal(text)
    for word in words:
        assert word in message
    assert "pydantic" not in message.lower()


def test_a_label_may_have_a_name_that_yaml_reads_as_a_value() -> None:
    assert set(parse_rules("labels: {no: {never: true}, 1.0: {}}").labels) == {"no", "1.0"}


@given(st.text(max_size=200) | st.text(alphabet="abm:-[]{}&*!#'\"\n ?|>%@,", max_size=80))
def test_any_text_gives_rules_or_a_user_error(text: str) -> None:
    with suppress(UserError):
        assert isinstance(parse_rules(text), Rules)


PROCESS = [
    "stale", "Stale", "lifecycle/stale", "X-stale", "wontfix", "won't-fix", "duplicate",
    "*duplicate", "triage/duplicate", "invalid", "spam", "needs-triage", "triage/accepted",
    "triaged", "lifecycle/frozen", "NeedsFix", "NeedsInvestigation", "NeedsDecision",
    "FrozenDueToAge", "WaitingForInfo", "release-blocker", "do-not-merge/hold", "needs-priority",
    "priority/backlog", "P1", "p-high", "size/XL", "cla:yes", "dependencies", "backport/1.8",
    "CherryPickApproved", "v1.2", "2.17", "backport-2.0.x", "S-waiting-on-review",
    "insiders-released", "on-release-notes", "author-verification-requested", "info-needed",
    "confirmed", "verified", "hacktoberfest", "resolved", "under-discussion", "in-progress",
    "blocked", "E-easy", "status/waiting", "good first issue", "help wanted", "Needs Triage",
    "Needs Decision - Include Feature", "Won\u2019t fix",
    ":heavy_check_mark: Resolution: By Design", "Status: Unconfirmed", "stat:awaiting response",
    "Needs: Author Feedback", "awaiting review", "TF 2.16", "CLA Signed", "High Priority",
    "\U0001f512 locked", "[Status] Needs Review", "Type: Needs Investigation", "Size: Medium",
    "good second issue",
]  # fmt: skip

ABOUT_THE_ISSUE = [
    "bug", "Bug", "kind/bug", "C-bug", "type:bug", "feature", "enhancement", "question",
    "documentation", "docs", "area/kubelet", "sig/node", "module:linear_model", "comp:ops",
    "A-sql-optimizer", "area-mvc", "T-compiler", "O-windows", "performance", "regression",
    "security", "accessibility", "merge-editor", "status-bar", "resolution", "size", "closures",
    "stage-setting", "fixed-point", "class-names", "editor-hover", "release", "build/ci", "api",
    "v8", "HTTP2", "dataset-viewer", "New Feature", "Build / CI", "Array API",
    "Component: Developer Tools", "dataset request", "React 19",
]  # fmt: skip


@pytest.mark.parametrize("label", PROCESS)
def test_process_labels_are_not_learned(label: str) -> None:
    assert not learnable(label, Rules())


@pytest.mark.parametrize("label", ABOUT_THE_ISSUE)
def test_labels_about_the_issue_are_learned(label: str) -> None:
    assert learnable(label, Rules())


def test_the_most_particular_word_on_a_label_decides() -> None:
    assert learnable("priority/high", parse_rules('include: ["*", "priority/*"]'))
    assert learnable("stale", parse_rules("labels: {Stale: {}}"))
    assert not learnable("bug", parse_rules("exclude: [bug]"))
    assert not learnable("kind/bug", parse_rules('include: ["kind/*"]\nexclude: [kind/bug]'))
    assert not learnable("area/x", parse_rules('include: ["kind/*"]'))
    assert learnable("kind/bug", parse_rules("exclude: [kind/*]\nlabels: {kind/bug: {}}"))
    assert not learnable("bug", parse_rules("labels: {Bug: {never: true}}"))
    assert not learnable("to-sort", parse_rules("unsure: To-Sort"))
    assert learnable("stale", replace(Rules(), exclude=()))


def test_rules_are_found_in_any_case() -> None:
    rules = parse_rules(
        "labels: {Bug: {threshold: 0.7}}\nignore_authors: ['Renovate[bot]', 'ci-*']"
    )
    assert rules.of_label("bUG").threshold == 0.7
    assert rules.of_label("other") == LabelRule()
    assert rules.ignores_author("renovate[bot]")
    assert rules.ignores_author("CI-runner")
    assert not rules.ignores_author("renovateb")


def test_families_of_the_rules() -> None:
    rules = parse_rules('families: {part: ["area/*", docs]}')
    assert (rules.family_of("area/x"), rules.family_of("Docs"), rules.family_of("bug")) == (
        "part",
        "part",
        None,
    )


@given(name=st.text(alphabet="ab", max_size=8), pattern=st.text(alphabet="ab*?", max_size=8))
def test_patterns_mean_what_globs_mean(name: str, pattern: str) -> None:
    assert matches_any(name, (pattern,)) == fnmatchcase(name, pattern)


def test_brackets_stand_for_themselves_but_for_digits() -> None:
    assert matches_any("[Status] Stale", ("[status]*",))
    assert not matches_any("s", ("[status]*",))
    assert matches_any("v2.1", ("v[0-9].[0-9]",))
    assert not matches_any("va.1", ("v[0-9].[0-9]",))
    assert not matches_any("anything", ())
    assert has_wildcard("v[0-9]")
    assert not has_wildcard("[status]")


def test_one_plain_spelling() -> None:
    spellings = ("Needs Triage", "needs_triage", ":mag: needs-triage", "\U0001f50e Needs  triage")
    assert {plain_name(name) for name in spellings} == {"needs-triage"}
    assert plain_name("Status: In Review") == "status:in-review"


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """Rewrite it with `python -m tests.unit.test_rules`."""
    assert json.loads((DOCS / "rules.schema.json").read_text()) == rules_schema()


def test_the_sample_in_the_docs_is_read_and_names_every_key() -> None:
    page = (DOCS / "rules.md").read_text()
    sample = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert sample
    assert parse_rules(sample[1])
    keys = set(re.findall(r"^(\w+):", sample[1], re.MULTILINE))
    assert keys == set(RulesFile.model_fields)


def test_the_docs_table_names_every_key_with_its_default() -> None:
    page = (DOCS / "rules.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", page, re.MULTILINE))
    defaults = {name: field.get_default() for name, field in RulesFile.model_fields.items()}
    assert {name: json.loads(value) for name, value in rows.items()} == defaults


if __name__ == "__main__":
    (DOCS / "rules.schema.json").write_text(json.dumps(rules_schema(), indent=2) + "\n")

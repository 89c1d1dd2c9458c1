"""Decisions: the never-lines as properties over all inputs, then each rule by example."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.decide import decide
from bot.core.rules import LabelRule, Rules, learnable
from bot.core.types import Decision, Mode, Score

LABELS = ("bug", "feature", "docs", "area/ui", "area/api", "stale", "unsure")


@dataclass(frozen=True)
class Given:
    """Everything that a decision depends on."""

    scores: tuple[Score, ...] = ()
    rules: Rules = field(default_factory=Rules)
    exclusive: tuple[tuple[str, ...], ...] = ()
    present: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    available: frozenset[str] = frozenset(LABELS)

    def decide(self) -> tuple[Decision, ...]:
        return decide(
            self.scores,
            rules=self.rules,
            exclusive=self.exclusive,
            present=self.present,
            removed_by_human=self.removed,
            available=self.available,
        )

    def of(self, label: str) -> Decision:
        (found,) = (decision for decision in self.decide() if decision.label == label)
        return found


probabilities = st.sampled_from([0.0, 0.2, 0.5, 0.7, 0.9, 1.0]) | st.floats(0, 1)
some_labels = st.frozensets(st.sampled_from(LABELS))
label_rules = st.builds(
    LabelRule, threshold=st.none() | st.sampled_from([0.1, 0.6, 1.0]), never=st.booleans()
)
rules = st.builds(
    Rules,
    mode=st.sampled_from(["apply", "suggest", "dry-run"]),
    labels=st.dictionaries(st.sampled_from(LABELS), label_rules, max_size=3),
    exclusive=st.sampled_from([(), (("area/*",),), (("bug", "feature"),)]),
    unsure=st.none() | st.sampled_from(["unsure", "docs", "gone"]),
    zero_shot=st.sampled_from(["suggest", "apply"]),
)
score_lists = st.lists(st.sampled_from(LABELS), unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                Score,
                label=st.just(name),
                probability=probabilities,
                apply_at=st.none() | st.sampled_from([0.3, 0.8]),
                suggest_at=st.sampled_from([0.1, 0.4]),
            )
            for name in names
        )
    )
)
cases = st.builds(
    Given,
    scores=score_lists,
    rules=rules,
    exclusive=st.sampled_from(
        [(), (("bug", "feature", "docs"),), (("bug", "docs"), ("docs", "area/ui"))]
    ),
    present=some_labels,
    removed=some_labels,
    available=some_labels,
)


def active(case: Given) -> list[Decision]:
    return [decision for decision in case.decide() if decision.action != "abstain"]


def groups(case: Given) -> list[set[str]]:
    declared = [
        {label for label in LABELS if label in group or ("area/*" in group and "area/" in label)}
        for group in case.rules.exclusive
    ]
    return [set(group) for group in case.exclusive] + declared


@given(cases)
def test_the_never_lines(case: Given) -> None:
    for decision in active(case):
        assert decision.label in case.available
        assert decision.label not in case.removed
        assert decision.label not in case.present
        assert not case.rules.of_label(decision.label).never


@given(cases)
def test_one_label_of_a_group_and_none_where_a_human_chose(case: Given) -> None:
    chosen = {decision.label for decision in active(case)}
    for group in groups(case):
        assert len(chosen & group) <= 1
        assert not (chosen & group and case.present & group)


@given(cases)
def test_every_label_gets_one_decision_with_a_reason(case: Given) -> None:
    decided = case.decide()
    names = [decision.label for decision in decided]
    assert len(names) == len(set(names))
    unsure = {case.rules.unsure} if case.rules.unsure else set()
    assert {score.label for score in case.scores} <= set(names)
    assert set(names) - {score.label for score in case.scores} <= unsure
    assert all(decision.reason for decision in decided)


@given(cases)
def test_suggest_mode_applies_nothing_and_dry_run_decides_the_same(case: Given) -> None:
    def in_mode(mode: Mode) -> list[tuple[str, str]]:
        as_mode = replace(case, rules=replace(case.rules, mode=mode))
        return [(decision.label, decision.action) for decision in as_mode.decide()]

    applied = in_mode("apply")
    assert in_mode("dry-run") == applied
    assert in_mode("suggest") == [
        (label, "suggest" if action == "apply" else action) for label, action in applied
    ]


@given(cases)
def test_applied_means_at_or_above_the_threshold_that_is_named(case: Given) -> None:
    for decision in case.decide():
        if decision.action == "apply" and decision.label != case.rules.unsure:
            assert decision.threshold is not None
            assert decision.probability >= decision.threshold
            assert learnable(decision.label, case.rules)


@given(cases)
def test_the_unsure_label_only_where_nothing_else_is_applied(case: Given) -> None:
    applied = {decision.label for decision in case.decide() if decision.action == "apply"}
    if case.rules.unsure in applied:
        assert applied == {case.rules.unsure}


@given(cases)
def test_the_order_of_scores_decides_nothing_but_ties(case: Given) -> None:
    distinct = len({score.probability for score in case.scores}) == len(case.scores)
    turned = replace(case, scores=case.scores[::-1])
    if distinct:
        assert set(turned.decide()) == set(case.decide())


def score(
    label: str, probability: float, *, apply_at: float | None = 0.8, why_muted: str = ""
) -> Score:
    return Score(label, probability, apply_at, suggest_at=0.4, why_muted=why_muted)


@pytest.mark.parametrize(
    ("probability", "action", "reason"),
    [
        (0.8, "apply", "0.80 reaches its cut 0.80"),
        (0.79, "suggest", "0.79 is worth a glance, but below its cut 0.80"),
        (0.39, "abstain", "0.39 is below 0.40, where a suggestion is worth a glance"),
    ],
)
def test_the_score_decides_where_nothing_stands_against_it(
    probability: float, action: str, reason: str
) -> None:
    decision = Given(scores=(score("bug", probability),)).of("bug")
    assert (decision.action, decision.reason) == (action, reason)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Given(present=frozenset({"Bug"})), "has it already"),
        (Given(removed=frozenset({"bug"})), "human removed it"),
        (Given(available=frozenset()), "does not have"),
        (Given(rules=Rules(labels={"BUG": LabelRule(never=True)})), "never"),
        (Given(rules=Rules(exclude=("bug",))), "to humans"),
        (
            Given(present=frozenset({"feature"}), exclusive=(("bug", "feature"),)),
            "the issue has feature",
        ),
    ],
)
def test_each_objection_gives_its_reason(case: Given, reason: str) -> None:
    decision = replace(case, scores=(score("bug", 1.0),)).of("bug")
    assert decision.action == "abstain"
    assert reason in decision.reason


def test_of_a_group_only_the_likeliest_counts_even_below_its_cut() -> None:
    case = Given(
        scores=(score("bug", 0.6, apply_at=0.5), score("feature", 0.7, apply_at=0.9)),
        exclusive=(("bug", "feature"),),
    )
    assert case.of("feature").action == "suggest"
    assert case.of("bug").action == "abstain"
    assert "feature is likelier (0.70 against 0.60)" in case.of("bug").reason


def test_a_forbidden_label_still_competes_and_a_removed_one_does_not() -> None:
    case = Given(
        scores=(score("bug", 0.9), score("feature", 0.95)), exclusive=(("bug", "feature"),)
    )
    forbidden = Rules(labels={"feature": LabelRule(never=True)})
    assert replace(case, rules=forbidden).of("bug").action == "abstain"
    assert replace(case, removed=frozenset({"feature"})).of("bug").action == "apply"


def test_a_group_of_the_rules_holds_labels_that_the_head_never_saw() -> None:
    case = Given(scores=(score("area/ui", 0.9),), rules=Rules(exclusive=(("area/*",),)))
    assert case.of("area/ui").action == "apply"
    assert replace(case, present=frozenset({"area/new"})).of("area/ui").action == "abstain"


def test_a_threshold_of_the_rules_overrides_cut_and_mute() -> None:
    own = Rules(labels={"bug": LabelRule(threshold=0.6), "docs": LabelRule(threshold=0.95)})
    case = Given(scores=(score("bug", 0.6, apply_at=None), score("docs", 0.9)), rules=own)
    assert case.of("bug").action == "apply"
    assert "the rules' threshold 0.60" in case.of("bug").reason
    assert case.of("docs").action == "suggest"


def test_without_proof_a_suggestion_unless_the_rules_say_otherwise() -> None:
    unseen = replace(score("bug", 0.95, apply_at=None, why_muted="no history yet"), zero_shot=True)
    case = Given(scores=(unseen,))
    assert case.of("bug").action == "suggest"
    assert "no history yet" in case.of("bug").reason
    bold = Rules(zero_shot="apply")
    assert replace(case, rules=bold).of("bug").action == "apply"
    assert replace(case, rules=replace(bold, precision=0.97)).of("bug").action == "suggest"


def test_a_label_that_its_history_speaks_against_is_not_set_for_want_of_proof() -> None:
    muted = score("bug", 0.95, apply_at=None, why_muted="right in 5 of 9 known cases")
    case = Given(scores=(muted,), rules=Rules(zero_shot="apply"))
    assert case.of("bug").action == "suggest"


def test_unsure_says_what_was_likeliest() -> None:
    case = Given(scores=(score("bug", 0.5), score("docs", 0.2)), rules=Rules(unsure="unsure"))
    assert case.of("unsure").action == "apply"
    assert "likeliest was bug at 0.50" in case.of("unsure").reason
    assert Given(rules=Rules(unsure="unsure")).of("unsure").action == "apply"


@pytest.mark.parametrize(
    "silent",
    [
        Given(scores=(score("bug", 0.9),)),
        Given(present=frozenset({"docs"})),
        Given(available=frozenset()),
        Given(removed=frozenset({"unsure"})),
        Given(present=frozenset({"unsure"})),
        Given(exclusive=(("unsure", "stale"),), present=frozenset({"stale"})),
        Given(exclusive=(("unsure", "bug"),), scores=(score("bug", 0.5),)),
    ],
)
def test_no_unsure_label_where_somebody_has_spoken(silent: Given) -> None:
    decided = replace(silent, rules=Rules(unsure="unsure")).decide()
    assert "unsure" not in {decision.label for decision in decided}

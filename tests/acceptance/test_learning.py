"""A maintainer corrects, and the next issue of that kind is right: through webhook, queue and refit."""

from __future__ import annotations

import pytest

from bot.core.types import LabelSpec
from bot.sandbox.sample import SampleIssue, load_sample
from bot.store import heads, refits
from bot.store.tables import Refit
from tests.acceptance.past import sample_issues
from tests.acceptance.stack import US, Repo, Stack, wait_until

RULES = "precision: 0.5\nsilent_share: 0\n"


@pytest.fixture(scope="module")
def repo(stack: Stack) -> Repo:
    labels = [LabelSpec(label.name, label.description) for label in load_sample().labels]
    return stack.repository(history=sample_issues(120), labels=labels, rules=RULES)


def later_issues() -> list[SampleIssue]:
    """Issues that came after those the repository was taught with."""
    return sample_issues(160)[120:]


def version(repo: Repo) -> int:
    with repo.stack.database.session() as session:
        head = heads.active(session, repo.id)
        assert head is not None
        return head.version


def refits_of(repo: Repo) -> list[Refit]:
    """Of single labels, newest first."""
    with repo.stack.database.session() as session:
        found = refits.of_repository(session, repo.id)
    return [refit for refit in found if refit.kind == "labels"]


def first_labelled(repo: Repo) -> tuple[int, SampleIssue, str]:
    """An issue that got a label of ours."""
    for issue in later_issues():
        number = repo.open(issue.title, issue.body)
        ours = [label for label, actor in repo.labels(number).items() if actor == US]
        if ours:
            return number, issue, ours[0]
    raise AssertionError("nothing was applied to any of them")


def test_a_removed_label_is_not_set_on_the_next_issue_like_it(repo: Repo) -> None:
    number, issue, label = first_labelled(repo)
    before = version(repo)
    repo.unlabel(number, label)
    assert version(repo) > before
    assert refits_of(repo)[0].report["fresh"]["removal"] == {"n": 1, "before": 0, "after": 1}
    twin = repo.open(issue.title, issue.body)
    neighbour = repo.open(issue.title, f"{issue.body}\n\nThe same here since yesterday.")
    assert label not in repo.labels(twin)
    assert label not in repo.labels(neighbour)


def test_an_added_label_is_set_on_the_next_issue_with_that_text(repo: Repo) -> None:
    missed = ((repo.open(i.title, i.body), i) for i in reversed(later_issues()) if i.labels)
    number, issue, label = next(
        (number, issue, label)
        for number, issue in missed
        for label, decision in repo.decided(number).items()
        if decision.action == "abstain" and label in issue.labels
    )
    repo.label(number, label)
    twin = repo.open(issue.title, issue.body)
    assert repo.labels(twin).get(label) == US


def test_a_burst_of_corrections_is_one_refit(
    repo: Repo, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a slow machine takes to record them: what is tested is that they wait for each other.
    monkeypatch.setattr("bot.jobs.requests.REFIT_DEBOUNCE", 3600.0)
    number = repo.open("The exported archive is empty", "Nothing is in it after the update.")
    before = len(refits_of(repo))
    with stack.idle():
        for name in repo.defined() - repo.labels(number).keys():
            stack.sandbox.label(repo.full_name, number, name, "maintainer")
    wait_until(
        lambda: stack.sandbox.hooks.wait(0) and "delivery" not in {j.task for j in stack.jobs()},
        what="corrections are recorded",
    )
    stack.settle()
    assert len(refits_of(repo)) == before + 1
    assert not stack.failed_jobs()

"""Commands in comments, through webhook, queue and GitHub: who may, what is done, what is said."""

from __future__ import annotations

import pytest

from bot.jobs.talk.commands import ANSWER, REFUSAL, WHY
from tests.acceptance.stack import EAGER, US, Repo, Stack

TINA, EVE = "tina", "eve"
RULES = EAGER + "  feature: {never: true}\n  question: {never: true}\n"
"""Every new issue gets `bug` and, however fast we learn, nothing else."""


@pytest.fixture(scope="module")
def repo(stack: Stack) -> Repo:
    """Every new issue gets `bug`; Tina may triage, Eve may not."""
    repo = stack.repository(rules=RULES)
    furnish(repo)
    return repo


def furnish(repo: Repo) -> None:
    for login, role in ((TINA, "triage"), (EVE, "read"), ("robot[bot]", "admin")):
        repo.stack.sandbox.set_role(repo.full_name, login, role)


def say(repo: Repo, number: int, body: str, actor: str = TINA) -> int:
    """Returns the comment's id."""
    comment = repo.stack.sandbox.comment(
        repo.full_name, number, body, actor=actor, association="OWNER"
    )
    repo.stack.settle()
    return comment


def ours(repo: Repo, number: int, marker: str | None = None) -> list[str]:
    """Our comments, of one kind if asked."""
    told = repo.stack.sandbox.comments(repo.full_name, number, author=US)
    return [one for one in told if marker is None or f"labelwright:{marker} " in one]


def thumbs(repo: Repo, comment: int) -> list[tuple[str, str]]:
    return repo.stack.sandbox.reactions(repo.full_name, comment)


# -- labels -------------------------------------------------------------------------------------------


def test_labels_are_set_and_taken_off(repo: Repo) -> None:
    number = repo.open()
    first = say(repo, number, "Hm.\n/label Feature, QUESTION\n/unlabel bug")
    assert set(repo.labels(number)) == {"feature", "question"}
    assert thumbs(repo, first) == [(US, "+1")]
    assert ours(repo, number) == []


def test_a_command_is_that_persons_own_word(repo: Repo, stack: Stack) -> None:
    """GitHub says that we did it, by webhook and in its events; it is Tina's all the same."""
    number = repo.open()
    say(repo, number, "/label feature\n/unlabel bug")
    told = {(e.label, e.added): (e.actor, e.actor_kind) for e in repo.label_events(number)}
    assert told["feature", True] == (TINA, "human")
    assert told["bug", False] == (TINA, "human")
    assert ("bug", True) in told
    assert len(repo.label_events(number)) == 3
    assert repo.our_events(number)[-2:] == [("labeled", "feature"), ("unlabeled", "bug")]


def test_what_a_command_took_off_never_comes_back(stack: Stack) -> None:
    repo = stack.repository(rules=RULES + "on_edit: reconsider\n")
    furnish(repo)
    number = repo.open()
    say(repo, number, "/unlabel bug")
    stack.sandbox.edit_issue(repo.full_name, number, body="It crashes again.")
    stack.settle()
    say(repo, number, "/relabel")
    assert "bug" not in repo.labels(number)


def test_a_persons_word_goes_over_an_earlier_removal(repo: Repo) -> None:
    number = repo.open()
    repo.unlabel(number, "bug")
    say(repo, number, "/label bug")
    assert set(repo.labels(number)) == {"bug"}


def test_what_others_set_can_be_taken_off_by_command(repo: Repo) -> None:
    number = repo.open()
    repo.label(number, "question", "maintainer")
    say(repo, number, "/unlabel question")
    assert set(repo.labels(number)) == {"bug"}


def test_an_unknown_label_brings_the_nearest_names_and_nothing_else(repo: Repo) -> None:
    number = repo.open()
    comment = say(repo, number, "/label feature, qestion")
    assert set(repo.labels(number)) == {"bug"}
    (said,) = ours(repo, number)
    assert "There is no label `qestion` here. Did you mean `question`?" in said
    assert f"issuecomment-{comment}" in said
    assert thumbs(repo, comment) == []
    assert repo.defined() == {"bug", "feature", "question"}


def test_answers_are_edited_in_place(repo: Repo) -> None:
    number = repo.open()
    for name in ("fetaure", "qestion", "buug"):
        say(repo, number, f"/label {name}")
    (said,) = ours(repo, number, ANSWER)
    assert "buug" in said
    assert "fetaure" not in said


def test_a_label_that_we_were_not_told_of_is_found(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    stack.sandbox.hooks.lose(1)
    stack.sandbox.create_label(repo.full_name, "surprise")
    say(repo, number, "/label surprise")
    assert "surprise" in repo.labels(number)
    stack.sandbox.delete_label(repo.full_name, "surprise")
    stack.settle()


def test_the_same_answer_is_given_once(repo: Repo) -> None:
    number = repo.open()
    say(repo, number, "/label\n/labelwright do")
    (said,) = ours(repo, number, ANSWER)
    assert said.count("Commands, each on a line of its own") == 1


def test_several_commands_are_answered_together(repo: Repo) -> None:
    number = repo.open()
    comment = say(repo, number, "/label feature\n/label nope\n/labelwright jump\n/unlabel bug")
    assert set(repo.labels(number)) == {"feature"}
    (said,) = ours(repo, number)
    assert "nope" in said
    assert "/labelwright pause" in said
    assert thumbs(repo, comment) == [(US, "+1")]


# -- who may ------------------------------------------------------------------------------------------


def test_without_permission_nothing_is_done_and_it_is_said_once(repo: Repo, stack: Stack) -> None:
    """The payload calls Eve an owner; GitHub, asked, does not."""
    number, other = repo.open(), repo.open()
    stack.sandbox.set_role(repo.full_name, "mallory", "read")
    for body in ("/label feature", "/unlabel bug", "/labelwright pause", "/why"):
        say(repo, number, body, actor="mallory")
    say(repo, other, "/label feature", actor="mallory")
    assert set(repo.labels(number)) == {"bug"}
    assert repo.row().status == "ready"
    (said,) = ours(repo, number)
    assert "triage permission" in said
    assert f"labelwright:{REFUSAL} " in said
    assert ours(repo, other) == []


def test_two_without_permission_get_one_refusal_on_an_issue(repo: Repo) -> None:
    number = repo.open()
    say(repo, number, "/label feature", actor="nobody-a")
    say(repo, number, "/label feature", actor="nobody-b")
    assert len(ours(repo, number)) == 1


def test_bots_and_ourselves_are_not_obeyed(repo: Repo) -> None:
    number = repo.open()
    for actor in ("robot[bot]", US):
        say(repo, number, "/label feature\n/why", actor=actor)
    assert set(repo.labels(number)) == {"bug"}
    assert [one for one in ours(repo, number) if "labelwright:" in one] == []


@pytest.mark.parametrize("body", ["> /label feature", "```\n/label feature\n```", "Try /why here"])
def test_what_is_not_a_command_costs_nothing(repo: Repo, body: str) -> None:
    number = repo.open()
    before = len(repo.asked("GET", "/permission"))
    say(repo, number, body)
    assert set(repo.labels(number)) == {"bug"}
    assert len(repo.asked("GET", "/permission")) == before


def test_an_edited_comment_is_not_read_again(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    say(repo, number, "Please /label feature")
    stack.sandbox.edit_comment(repo.full_name, number, "Please /label", "/label", actor=TINA)
    stack.settle()
    assert set(repo.labels(number)) == {"bug"}


def test_commands_can_be_turned_off(stack: Stack) -> None:
    repo = stack.repository(rules=RULES + "commands: false\n")
    furnish(repo)
    number = repo.open()
    say(repo, number, "/label feature")
    say(repo, number, "/label feature", actor=EVE)
    assert set(repo.labels(number)) == {"bug"}
    assert ours(repo, number) == []


def test_pull_requests_are_left_alone(repo: Repo) -> None:
    number = repo.open(is_pull_request=True)
    say(repo, number, "/label feature\n/why")
    assert repo.labels(number) == {}
    assert ours(repo, number) == []


# -- dry run, locked, twice -----------------------------------------------------------------------------


def test_a_dry_run_writes_nothing_whatever_is_asked(stack: Stack) -> None:
    repo = stack.repository(rules="mode: dry-run\nsuggestions: comment\n" + RULES)
    furnish(repo)
    number = repo.open()
    for body in (
        "/label feature",
        "/unlabel bug",
        "/label nope",
        "/why",
        "/relabel",
        "/labelwright x",
    ):
        say(repo, number, body)
    say(repo, number, "/label feature", actor=EVE)
    say(repo, number, "/labelwright status")
    say(repo, number, "/labelwright pause")
    assert repo.writes() == []
    assert repo.row().status == "paused"
    assert len(repo.decisions(number)) > len(repo.decided(number))  # decided again


def test_a_locked_conversation_hears_nothing(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    stack.sandbox.lock_issue(repo.full_name, number)
    comment = say(repo, number, "/label feature\n/why\n/label nope")
    say(repo, number, "/label feature", actor="nobody-c")
    assert "feature" in repo.labels(number)
    assert ours(repo, number) == []
    assert thumbs(repo, comment) == []


def test_a_job_that_runs_twice_obeys_once(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    comment = say(repo, number, "/label feature\n/label nope\n/why")
    repo.unlabel(number, "feature")
    stack.run_again(repo.deliveries("issue_comment", "created")[-1])
    assert "feature" not in repo.labels(number)
    assert len(ours(repo, number)) == 2
    assert thumbs(repo, comment) == [(US, "+1")]


@pytest.mark.parametrize("path", ["/comments$", "/reactions$", "/labels$"])
def test_a_job_that_broke_off_goes_on_from_there(repo: Repo, stack: Stack, path: str) -> None:
    """GitHub did it and then fell silent: nothing is posted or done twice."""
    number = repo.open()
    stack.sandbox.faults.drop(method="POST", path=path, after=True)
    comment = say(repo, number, "/label feature\n/label nope\n/why")
    assert set(repo.labels(number)) == {"bug", "feature"}
    assert len(ours(repo, number, WHY)) == 1
    assert len(ours(repo, number, ANSWER)) == 1
    assert thumbs(repo, comment) == [(US, "+1")]
    told = [e for e in repo.label_events(number) if e.label == "feature"]
    assert [(e.actor, e.actor_kind) for e in told] == [(TINA, "human")]


# -- why, relabel, status -------------------------------------------------------------------------------


def test_why_tells_of_the_stored_decision(repo: Repo) -> None:
    number = repo.open("The parser crashes", "A traceback when saving.")
    say(repo, number, "/why")
    (said,) = ours(repo, number)
    decision = repo.decided(number)["bug"]
    assert f"`bug` **set**: score {decision.probability:.2f}, cut 0.01" in said
    assert "head v" in said
    assert repo.stack.context.encoder.bundle_id in said


def test_why_without_a_decision_says_so(repo: Repo, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        stack.sandbox.hooks.wait()
        stack.sql("UPDATE deliveries SET status = 'done' WHERE status = 'stored'")
    stack.settle()
    say(repo, number, "/why")
    (said,) = ours(repo, number)
    assert "Nothing was decided" in said
    say(repo, number, "/relabel")
    assert repo.labels(number) == {"bug": US}
    say(repo, number, "/why")
    (said,) = ours(repo, number)
    assert "`bug` **set**" in said


def test_why_tells_why_we_set_a_label_also_after_it_was_looked_at_again(repo: Repo) -> None:
    """By then the issue has it already, which is no reason for anything."""
    number = repo.open()
    (decision,) = [d for d in repo.decisions(number) if d.label == "bug"]
    say(repo, number, "/relabel\n/why")
    (said,) = ours(repo, number, WHY)
    assert f"`bug` **set**: score {decision.probability:.2f}, cut 0.01" in said


def test_why_names_words_and_issues_that_people_labelled_so(learned: Repo) -> None:
    furnish(learned)
    number = learned.open("Crash with a traceback when saving", "It raises an error every time.")
    say(learned, number, "/why")
    (said,) = ours(learned, number, WHY)
    assert "Like #" in said
    assert "Words: `" in said


def test_pause_and_resume(stack: Stack) -> None:
    repo = stack.repository(rules=RULES)
    furnish(repo)
    number = repo.open()
    say(repo, number, "/labelwright pause")
    assert repo.row().status == "paused"
    assert repo.labels(repo.open()) == {}
    say(repo, number, "/label feature\n/relabel")
    assert set(repo.labels(number)) == {"bug"}
    assert "paused" in ours(repo, number, ANSWER)[0]
    say(repo, number, "/labelwright status")
    assert "is **paused** here" in ours(repo, number, ANSWER)[0]
    say(repo, number, "/labelwright resume")
    assert repo.row().status == "ready"
    assert repo.labels(repo.open()) == {"bug": US}
    say(repo, number, "/labelwright status")
    assert "is **ready** here: mode `apply`" in ours(repo, number, ANSWER)[0]

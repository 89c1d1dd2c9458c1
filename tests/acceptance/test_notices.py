"""A broken rules file is said once, where it first mattered, and the comment is kept true."""

from __future__ import annotations

from tests.acceptance.stack import EAGER, US, Repo, Stack

BROKEN = "labels:\n  bug: {treshold: 0.5}\n"
WORSE = "mode: sugest\n"


def said(repo: Repo, number: int) -> list[str]:
    return repo.stack.sandbox.comments(repo.full_name, number, author=US)


def test_it_is_said_once_and_edited_in_place(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    before = repo.open()
    repo.write_rules(BROKEN)
    assert said(repo, before) == []
    first, second = repo.open(), repo.open()
    (told,) = said(repo, first)
    assert "threshold" in told
    assert "line 2" in told
    assert said(repo, second) == []
    repo.write_rules(WORSE)
    (told,) = said(repo, first)
    assert "sugest" in told
    repo.write_rules(EAGER + "# mended\n")
    (told,) = said(repo, first)
    assert "can be read again" in told
    third = repo.open()
    assert said(repo, third) == []
    repo.write_rules(BROKEN)
    fourth = repo.open()
    assert len(said(repo, fourth)) == 1
    assert "can be read again" in said(repo, first)[0]


def test_a_dry_run_says_nothing(stack: Stack) -> None:
    repo = stack.repository(rules="mode: dry-run\n")
    repo.write_rules(BROKEN)
    number = repo.open()
    assert "threshold" in (repo.row().rules_error or "")
    assert said(repo, number) == []
    assert repo.writes() == []


def test_a_missing_permission_is_not_a_broken_file(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER, install=False, private=True)
    stack.sandbox.install(
        repo.owner, [repo.full_name], permissions={"issues": "write", "metadata": "read"}
    )
    stack.settle()
    number = repo.open()
    assert "permission" in (repo.row().rules_error or "")
    assert said(repo, number) == []


def test_a_comment_whose_answer_was_lost_is_not_posted_twice(stack: Stack) -> None:
    repo = stack.repository(rules=BROKEN)
    stack.sandbox.faults.drop(method="POST", path="/comments$", after=True)
    number = repo.open()
    assert len(said(repo, number)) == 1


def test_what_was_said_on_an_issue_that_is_gone_is_said_on_the_next(stack: Stack) -> None:
    repo = stack.repository(rules=BROKEN)
    first = repo.open()
    assert len(said(repo, first)) == 1
    stack.sandbox.delete_issue(repo.full_name, first)
    repo.write_rules(WORSE)
    (told,) = said(repo, repo.open())
    assert "sugest" in told

"""The rules file of a repository is obeyed, and read again when it changes; a broken one does no harm."""

from __future__ import annotations

import pytest

from tests.acceptance.stack import EAGER, RULES_PATH, US, Stack, wait_until

CRASH = "There is a traceback: something does not work as it should."


def test_a_dry_run_decides_and_writes_nothing(stack: Stack) -> None:
    repo = stack.repository(rules="mode: dry-run\n" + EAGER, suggestions="on")
    number = repo.open("It crashes", CRASH)
    stack.sandbox.edit_issue(repo.full_name, number, title="It still crashes")
    repo.label(number, "feature")
    repo.unlabel(number, "feature")
    assert repo.decided(number)["bug"].action == "apply"
    assert repo.writes() == []
    assert repo.effects(number) == []


def test_a_dry_run_that_begins_while_a_label_waits_to_be_written_keeps_it_back(
    stack: Stack,
) -> None:
    repo = stack.repository(rules=EAGER)
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    number = repo.open(settle=False)
    wait_until(lambda: any(job.due_in > 5 for job in stack.jobs()), what="the job waits")
    stack.sandbox.put_file(repo.full_name, RULES_PATH, "mode: dry-run\n" + EAGER)
    wait_until(lambda: "dry-run" in (repo.row().rules_text or ""), what="the new rules were read")
    written = len(repo.writes())
    stack.settle()
    assert repo.labels(number) == {}
    assert len(repo.writes()) == written
    assert [effect.status for effect in repo.effects(number) if effect.label == "bug"] == [
        "skipped"
    ]


def test_suggest_mode_only_suggests(stack: Stack) -> None:
    repo = stack.repository(rules="mode: suggest\n" + EAGER, suggestions="on")
    number = repo.open("It crashes", CRASH)
    assert repo.labels(number) == {}
    decision = repo.decided(number)["bug"]
    assert decision.action == "suggest"
    assert "the rules say to suggest only" in decision.reason
    (posted,) = repo.asked("POST", "/labels")
    rows = posted.body["labels"]  # type: ignore[index,call-overload]
    assert "bug" in {row["name"] for row in rows}
    assert all(row["suggest"] is True for row in rows)


def test_a_suggestion_that_github_takes_for_a_label_is_taken_back(stack: Stack) -> None:
    """Some repositories ignore `suggest`: nobody approved that label, so it goes."""
    repo = stack.repository(rules="mode: suggest\n" + EAGER, suggestions="ignored")
    number = repo.open("It crashes", CRASH)
    assert repo.labels(number) == {}


def test_a_label_that_the_rules_forbid_is_never_set_or_suggested(stack: Stack) -> None:
    repo = stack.repository(
        rules="labels:\n  bug: {never: true, threshold: 0.01}\n", suggestions="on"
    )
    number = repo.open("It crashes", CRASH)
    assert repo.labels(number) == {}
    decision = repo.decided(number).get("bug")
    assert decision is None or decision.action == "abstain"
    for posted in repo.asked("POST", "/labels"):
        assert b'"bug"' not in posted.request_body


def test_never_holds_for_what_already_waits(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    number = repo.open(settle=False)
    wait_until(lambda: any(job.due_in > 5 for job in stack.jobs()), what="the job waits")
    stack.sandbox.put_file(repo.full_name, RULES_PATH, "labels:\n  bug: {never: true}\n")
    wait_until(lambda: "never" in (repo.row().rules_text or ""), what="the new rules were read")
    stack.settle()
    assert repo.labels(number) == {}


def test_a_push_to_the_rules_is_read_at_once(stack: Stack) -> None:
    repo = stack.repository()
    assert repo.labels(repo.open()) == {}
    repo.write_rules(EAGER)
    assert repo.labels(repo.open()) == {"bug": US}
    repo.write_rules(None)
    assert repo.labels(repo.open()) == {}


def test_other_pushes_read_nothing(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    before = len(repo.asked("GET", f"/contents/{RULES_PATH}"))
    stack.sandbox.put_file(repo.full_name, "src/main.py", "print()\n")
    stack.settle()
    assert len(repo.asked("GET", f"/contents/{RULES_PATH}")) == before


def test_fresh_rules_are_not_asked_for_again(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    before = len(repo.asked("GET", f"/contents/{RULES_PATH}"))
    repo.open()
    repo.open()
    assert len(repo.asked("GET", f"/contents/{RULES_PATH}")) == before


def test_a_change_that_we_were_not_told_of_is_found_by_etag(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    stack.sql(
        "UPDATE repositories SET rules_checked_at = now() - interval '6 minutes' WHERE id = :id",
        id=repo.id,
    )
    repo.open()
    asked = repo.asked("GET", f"/contents/{RULES_PATH}")
    assert asked[-1].status == 304
    stack.sandbox.hooks.lose(1)
    repo.write_rules("mode: dry-run\n")
    stack.sql(
        "UPDATE repositories SET rules_checked_at = now() - interval '6 minutes' WHERE id = :id",
        id=repo.id,
    )
    assert repo.labels(repo.open()) == {}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("labels:\n  bug: {treshold: 0.5}\n", "threshold"),
        ("mode: sugest\n", "mode"),
        ("labels: [", "line"),
    ],
)
def test_broken_rules_keep_the_last_good_ones(stack: Stack, broken: str, said: str) -> None:
    repo = stack.repository(rules=EAGER)
    repo.write_rules(broken)
    row = repo.row()
    assert said in (row.rules_error or "")
    assert row.rules_text == EAGER
    assert repo.labels(repo.open()) == {"bug": US}
    repo.write_rules(EAGER + "# mended\n")
    assert repo.row().rules_error is None


def test_rules_broken_from_the_start_mean_the_defaults(stack: Stack) -> None:
    repo = stack.repository(rules="labels:\n  bug: {treshold: 0.01}\n")
    assert repo.row().status == "ready"
    assert repo.labels(repo.open()) == {}


def test_a_dry_run_with_a_slip_of_the_pen_is_a_dry_run(stack: Stack) -> None:
    repo = stack.repository(rules="mode: dry-run\nlabels:\n  bug: {treshold: 0.01}\n")
    before = len(stack.sandbox.requests)
    assert repo.labels(repo.open()) == {}
    assert not [
        one
        for one in list(stack.sandbox.requests)[before:]
        if one.method != "GET" and not one.path.endswith("/access_tokens")
    ]
    assert "treshold" in (repo.row().rules_error or "")
    repo.write_rules(EAGER)
    assert repo.labels(repo.open()) == {"bug": US}


def test_rules_that_are_no_text_keep_the_last_good_ones(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER)
    with stack.sandbox.state.lock:
        stack.sandbox.state.repository(repo.full_name).files[RULES_PATH] = b"\xff\xfe\x00"
    stack.sandbox.put_file(repo.full_name, "README", "x")
    stack.sql("UPDATE repositories SET rules_checked_at = NULL WHERE id = :id", id=repo.id)
    assert repo.labels(repo.open()) == {"bug": US}
    assert "UTF-8" in (repo.row().rules_error or "")


def test_without_the_permission_the_defaults_hold(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER, install=False, private=True)
    stack.sandbox.install(
        repo.owner, [repo.full_name], permissions={"issues": "write", "metadata": "read"}
    )
    stack.settle()
    number = repo.open()
    row = repo.row()
    assert (row.status, row.rules_text or "") == ("ready", "")
    assert "contents" in (row.rules_error or "")
    assert repo.labels(number) == {}
    assert repo.deliveries("issues", "opened")[-1].status == "done"


def test_edits_are_ignored_unless_the_rules_say_otherwise(stack: Stack) -> None:
    repo = stack.repository()
    number = repo.open()
    repo.write_rules(EAGER)
    stack.sandbox.edit_issue(repo.full_name, number, title="It crashes more")
    stack.settle()
    assert repo.labels(number) == {}
    repo.write_rules(EAGER + "on_edit: reconsider\n")
    stack.sandbox.edit_issue(repo.full_name, number, title="It crashes even more")
    stack.settle()
    assert repo.labels(number) == {"bug": US}

"""Preview against a GitHub: it reads what it needs, goes on where it stopped, and writes nothing there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.core.rules import Rules, parse_rules
from bot.core.types import LabelSpec
from bot.errors import UserError
from bot.preview import from_github
from bot.preview.from_github import past_from_github
from bot.preview.kept_pages import KeptPages
from bot.preview.past import Past
from bot.sandbox.exchanges import Exchange
from bot.sandbox.sample import load_sample
from bot.sandbox.server import SandboxServer

NAME = "harbor-lane/tidemark"
START = datetime(2024, 3, 1, tzinfo=UTC)
SETTLING = timedelta(days=7)


@pytest.fixture
def small(sandbox: SandboxServer) -> SandboxServer:
    """Five issues: one edited, one relabelled, one with a form's label, one without; and a pull request."""
    labels = [LabelSpec("bug", "It fails"), LabelSpec("feature", "A wish")]
    sandbox.add_repository(NAME, labels=labels)

    def seed(day: int, *labels: str, **more: object) -> int:
        at = START + timedelta(days=day)
        told = {"title": f"t{day}", "body": "b", "labels": labels, "created_at": at, **more}
        return sandbox.seed_issue(NAME, **told)  # type: ignore[arg-type]

    seed(0, "bug")
    seed(1, filed_as=("before", "first body"))
    third = seed(2, "bug")
    later = START + timedelta(days=9)
    sandbox.seed_label_event(NAME, third, "bug", actor="ann", at=later, added=False)
    sandbox.seed_label_event(NAME, third, "feature", actor="ann", at=later)
    fourth = seed(3)
    at = START + timedelta(days=3)
    sandbox.seed_label_event(NAME, fourth, "bug", actor="reporter", at=at)
    seed(4, is_pull_request=True)
    seed(5)
    return sandbox


@pytest.fixture
def read(small: SandboxServer, tmp_path: Path) -> Callable[..., Past]:
    def past(*, most: int = 100, fresh: bool = False, rules: Rules | None = None) -> Past:
        return past_from_github(
            NAME,
            token=small.user_token("somebody"),
            api_url=small.url,
            kept=KeptPages(tmp_path / "pages", source=small.url, fresh=fresh),
            most=most,
            rules=rules,
            settling=SETTLING,
            say=lambda what, done: None,
            pause=lambda seconds: None,
        )

    return past


def is_read(one: Exchange) -> bool:
    """A GET, or a GraphQL document of nothing but a query."""
    if one.method == "GET":
        return True
    document = one.body
    assert isinstance(document, dict)
    said = str(document["query"]).lstrip()
    return one.path == "/graphql" and said.startswith("query ") and "mutation" not in said


def test_what_is_read(read: Callable[..., Past], small: SandboxServer) -> None:
    past = read()
    assert past.full_name == NAME
    assert [issue.number for issue in past.issues] == [1, 2, 3, 4, 6]
    assert past.descriptions == {"bug": "It fails", "feature": "A wish"}
    assert (past.issues[1].title, past.issues[1].body) == ("before", "first body")
    assert past.issues[1].as_filed is True
    said = [(event.label, event.added) for event in past.issues[2].events]
    assert said == [("bug", True), ("bug", False), ("feature", True)]
    assert past.issues[3].events[0].actor_kind == "form"
    assert past.link(3) == f"{small.url}/{NAME}/issues/3"
    assert small.requests
    assert all(map(is_read, small.requests))


def test_without_graphql_edited_text_is_not_certain(
    read: Callable[..., Past], small: SandboxServer
) -> None:
    small.faults.answer(404, path="graphql", times=9)
    past = read()
    assert past.issues[1].as_filed is False
    assert past.issues[1].title == "t1"


def test_only_the_newest_issues_where_there_are_many(read: Callable[..., Past]) -> None:
    assert [issue.number for issue in read(most=2).issues] == [4, 6]


def test_what_was_read_today_is_not_read_again(
    read: Callable[..., Past], small: SandboxServer
) -> None:
    first = read()
    before = len(small.requests)
    again = read()
    paths = [one.path for one in small.requests[before:]]
    assert again.issues == first.issues
    assert not [path for path in paths if path.endswith(("/issues", "/events", "/graphql"))]
    read(fresh=True)
    paths = [one.path for one in small.requests[before:]]
    assert [path for path in paths if path.endswith("/issues")]


def test_a_stop_in_the_middle_costs_one_page(
    read: Callable[..., Past], small: SandboxServer
) -> None:
    small.faults.answer(500, path="/issues/events", times=1000)
    with pytest.raises(UserError, match="What was read is kept"):
        read()
    small.faults.clear()
    before = len(small.requests)
    assert len(read().issues) == 5
    assert not [one for one in small.requests[before:] if one.path.endswith("/issues")]


def test_a_short_limit_is_waited_for(read: Callable[..., Past], small: SandboxServer) -> None:
    small.faults.secondary_limit(path="/labels", retry_after=30)
    assert len(read().issues) == 5


def test_a_long_limit_is_told(read: Callable[..., Past], small: SandboxServer) -> None:
    small.faults.secondary_limit(path="/labels", retry_after=1800)
    with pytest.raises(UserError, match=r"run the same command again in 30 minutes"):
        read()


def test_a_github_out_of_reach_is_told_for_what_it_is(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_github, "PATIENCE", 0.0)
    monkeypatch.setenv("LABELWRIGHT_GITHUB_API_URL", "http://127.0.0.1:9")
    done = run(NAME)
    assert done.exit_code == 2, done.output
    assert "GitHub did not answer (ConnectionError)" in done.output
    assert "http://127.0.0.1:9" in done.output
    assert "0 minutes" not in done.output


def test_a_rules_file_that_cannot_be_used_is_named(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "tried.yml"
    file.write_text("mode: aply\n")
    said = run(NAME, "--rules", str(file)).output
    assert "tried.yml: line 1: `mode` is 'aply'" in said


def test_the_rules_of_the_repository_are_the_ones_that_are_tried(
    read: Callable[..., Past], small: SandboxServer
) -> None:
    path = ".github/labelwright.yml"
    small.put_file(NAME, path, "exclude: [bug]\n")
    assert read().rules.exclude[0] == "bug"
    assert read(rules=Rules(precision=0.7)).rules == Rules(precision=0.7)
    small.put_file(NAME, path, "exclud: [bug]\n")
    past = read()
    assert past.rules == Rules()
    assert "exclude" in past.notes[0]


def test_kept_pages_are_for_their_reader_alone(read: Callable[..., Past], tmp_path: Path) -> None:
    read()
    assert (tmp_path / "pages").stat().st_mode & 0o077 == 0


# -- the command --------------------------------------------------------------------------------------


@pytest.fixture
def run(
    sandbox: SandboxServer, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    monkeypatch.setenv("LABELWRIGHT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABELWRIGHT_BUNDLE", str(tiny_bundle))
    monkeypatch.setenv("LABELWRIGHT_GITHUB_API_URL", sandbox.url)
    monkeypatch.setenv("GITHUB_TOKEN", sandbox.user_token("somebody"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(
        app, ["preview", *words], env={"COLUMNS": "200", "NO_COLOR": "1"}
    )


@pytest.fixture
def sample(sandbox: SandboxServer) -> SandboxServer:
    """The newest 80 issues of the sample repository."""
    told = load_sample()
    labels = [LabelSpec(label.name, label.description) for label in told.labels]
    sandbox.add_repository(NAME, labels=labels)
    for issue in told.issues[-80:]:
        sandbox.seed_issue(
            NAME,
            title=issue.title,
            body=issue.body,
            labels=issue.labels,
            created_at=issue.created_at,
            closed_at=issue.closed_at,
            author=issue.author,
            association=issue.author_association,
        )
    return sandbox


def test_a_preview_of_a_repository_writes_nothing_there(
    sample: SandboxServer, run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run(NAME, "--out", "out")
    assert done.exit_code == 0, done.output
    assert sample.requests
    assert [one.path for one in sample.requests if not is_read(one)] == []
    report = json.loads((tmp_path / "out" / "preview.json").read_text())
    assert report["repository"] == NAME
    assert report["sources"]["issues"] == 80
    assert report["sources"]["labels_with_time"] == report["sources"]["labels"] > 50
    assert len(report["last_issues"]) == 50
    parse_rules((tmp_path / "out" / "labelwright.yml").read_text())
    page = (tmp_path / "out" / "preview.html").read_text()
    assert page.startswith("<!doctype html>")
    assert f"{sample.url}/{NAME}/issues/" in page
    token = sample.user_token("somebody")
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if token.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"title": f"t{n}", "labels": ["bug"]} for n in range(30)], "have no dates"),
        ([{"title": f"t{n}"} for n in range(60)], "No issue carries a label"),
        ([{"title": f"t{n}", "labels": ["bug"]} for n in range(60)], "Only one label"),
        ([{"title": f"t{n}", "labels": [f"l{n % 2}"]} for n in range(30)], "fewer than 50"),
    ],
)
def test_poor_files_get_a_report_that_says_so(
    run: Callable[..., Result], tmp_path: Path, lines: list[dict[str, object]], said: str
) -> None:
    file = tmp_path / "issues.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = run("--issues", str(file))
    assert done.exit_code == 0, done.output
    assert said in done.output
    assert (tmp_path / "preview-local_issues" / "preview.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a repository"),
        (("a/b", "--issues", "x"), "name a repository"),
        (("no-slash",), "'no-slash' is no owner/name\n"),
        (("nobody/nothing",), "check the name"),
        (("--issues", "missing.jsonl"), "missing.jsonl"),
        ((NAME, "--rules", "missing.yml"), "missing.yml"),
    ],
)
def test_what_cannot_be_previewed_is_told_in_one_line(
    run: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert "Traceback" not in done.output


def test_a_file_of_several_repositories_needs_a_name(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "issues.jsonl"
    rows = [{"title": f"t{n}", "repo": f"a/r{n % 2}", "labels": ["bug"]} for n in range(10)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "--repo: a/r0, a/r1" in run("--issues", str(file)).output
    assert run("--issues", str(file), "--repo", "a/r1").exit_code == 0


def test_without_a_token_it_says_which(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert "GITHUB_TOKEN" in run(NAME).output


def test_a_wrong_token_is_told(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")
    done = run(NAME)
    assert done.exit_code == 2
    assert "GITHUB_TOKEN" in done.output

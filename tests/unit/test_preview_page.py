"""The page: whatever strangers wrote stays text, nothing is fetched, and everybody can read it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bot.preview.html import Html, join, link, tag
from bot.preview.page import render
from bot.preview.report import Report
from tests.unit.preview_past import issue, ordinary
from tests.unit.test_preview_report import report_of

ATTACKS = (
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><iframe src=javascript:alert(1)>",
    "&lt;b&gt; <b>bold</b> &amp;",
    "</code></pre><a href='javascript:alert(1)'>x</a>",
    "<!-- --><base href=//evil.example>",
)


class Seen(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_report() -> Report:
    """Attacks in titles, labels, the repository's name and the notes; two labels look wrong."""
    labels = [ATTACKS[0], ATTACKS[3], "docs"]
    issues = [
        replace(
            issue(row, ("bug", "feature", "docs")[row % 3]),
            labels=frozenset([labels[row % 3]]),
            events=tuple(
                replace(event, label=labels[row % 3])
                for event in issue(row, ("bug", "feature", "docs")[row % 3]).events
            ),
        )
        for row in range(120)
    ]
    issues[100:] = [
        replace(one, title=f"{ATTACKS[row % len(ATTACKS)]} {one.title}")
        for row, one in enumerate(issues[100:])
    ]
    return report_of(issues, promise=0.6, full_name=f"acme/{ATTACKS[1]}", notes=ATTACKS)


@pytest.fixture(scope="module")
def hostile() -> str:
    return render(hostile_report())


@pytest.fixture(scope="module")
def seen(hostile: str) -> Seen:
    return Seen(hostile)


def test_strangers_cannot_add_elements(seen: Seen) -> None:
    names = {name for name, _ in seen.tags}
    assert not names & {"script", "img", "iframe", "base", "b", "object", "embed", "form", "link"}
    assert seen.open == []


def test_strangers_cannot_add_handlers_or_addresses(seen: Seen) -> None:
    for name, attributes in seen.tags:
        assert not [key for key in attributes if key.startswith("on")], name
        assert not {"src", "srcset", "action", "xlink:href"} & attributes.keys()
        if "href" in attributes:
            assert str(attributes["href"]).startswith("https://github.com/")


def test_what_strangers_wrote_is_shown_as_it_is(seen: Seen) -> None:
    for attack in ATTACKS:
        assert attack in seen.text


def test_nothing_is_fetched(hostile: str, seen: Seen) -> None:
    policy = [a["content"] for n, a in seen.tags if n == "meta" and "http-equiv" in a]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    style = hostile.partition("<style>")[2].partition("</style>")[0]
    assert style
    for fetching in ("url(", "@import", "http"):
        assert fetching not in style


def test_everybody_can_read_it(seen: Seen) -> None:
    tags = seen.tags
    assert ("html", {"lang": "en"}) in tags
    assert len([1 for name, _ in tags if name == "h1"]) == 1
    charts = [attributes for name, attributes in tags if name == "svg"]
    assert len(charts) == 2
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert all(a.get("scope") in ("col", "row") for name, a in tags if name == "th")
    tables = [1 for name, _ in tags if name == "table"]
    assert len(tables) == len([1 for name, _ in tags if name == "caption"])


def test_every_section_is_there(seen: Seen) -> None:
    for heading in (
        "What each promise would have brought",
        "Precision against coverage",
        "Over time",
        "Label by label",
        "Muted labels",
        "The last 50 issues",
        "text that is not as filed",
        "Labels of the past that look wrong",
        "A rules file to start with",
        "How this was made",
    ):
        assert heading in seen.text


def test_a_label_may_not_slip_in_as_markup() -> None:
    assert tag("p", "<i>") == "<p>&lt;i&gt;</p>"
    assert tag("p", Html("<i>")) == "<p><i></p>"
    assert tag("p", "x", title='"<') == '<p title="&quot;&lt;">x</p>'
    assert join("a", 1, tag("br")) == "a1<br/>"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "", "data:text/html,x", "//evil.example"]
)
def test_only_web_addresses_become_links(address: str) -> None:
    assert link("<x>", address) == "&lt;x&gt;"


def test_issues_without_numbers_have_no_links() -> None:
    issues = [replace(one, number=0) for one in ordinary(60)]
    assert "href" not in render(report_of(issues))

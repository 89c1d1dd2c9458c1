"""The sample repository holds what the demo needs of it: shape, balance and variety."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import combinations
from statistics import median

import pytest

from bot.sandbox.sample import FULL_NAME, Sample, load_sample

KINDS = frozenset({"bug", "feature", "question", "documentation"})
AREAS = frozenset({"area: cli", "area: themes", "area: search", "area: plugins", "area: server"})
ASSOCIATIONS = {"NONE", "CONTRIBUTOR", "MEMBER", "OWNER"}


@pytest.fixture(scope="module")
def sample() -> Sample:
    return load_sample()


def test_repository_and_its_ten_described_labels(sample: Sample) -> None:
    assert sample.full_name == FULL_NAME
    assert {label.name for label in sample.labels} == KINDS | AREAS | {"performance"}
    assert all(len(label.description) > 20 for label in sample.labels)
    assert all(re.fullmatch(r"[0-9a-f]{6}", label.color) for label in sample.labels)


def test_about_six_hundred_issues_over_two_years(sample: Sample) -> None:
    assert 580 <= len(sample.issues) <= 640
    created = [issue.created_at for issue in sample.issues]
    assert created == sorted(created)
    assert (created[-1] - created[0]).days > 700
    assert created[-1] < datetime(2026, 10, 1, tzinfo=UTC)


def test_numbers_rise_with_the_dates(sample: Sample) -> None:
    numbers = [issue.number for issue in sample.issues]
    assert numbers == sorted(set(numbers))


def test_fields_have_the_shapes_that_github_sends(sample: Sample) -> None:
    for issue in sample.issues:
        assert issue.title.strip() == issue.title != ""
        assert re.fullmatch(r"[a-z0-9-]{3,39}", issue.author), issue.author
        assert issue.author_association in ASSOCIATIONS
        assert issue.created_at.tzinfo is not None
        assert issue.closed_at is None or issue.closed_at >= issue.created_at
        assert issue.state == ("closed" if issue.closed_at else "open")


def test_an_author_keeps_their_association(sample: Sample) -> None:
    pairs = {(issue.author, issue.author_association) for issue in sample.issues}
    assert len(pairs) == len({author for author, _ in pairs})


def test_most_issues_were_closed(sample: Sample) -> None:
    closed = sum(issue.state == "closed" for issue in sample.issues)
    assert 0.6 < closed / len(sample.issues) < 0.95


def test_every_label_is_on_thirty_issues_or_more(sample: Sample) -> None:
    counts = Counter(label for issue in sample.issues for label in issue.labels)
    assert set(counts) == {label.name for label in sample.labels}
    assert min(counts.values()) >= 30, counts


def test_kinds_exclude_each_other_save_for_slips(sample: Sample) -> None:
    slips = [issue.number for issue in sample.issues if len(KINDS & set(issue.labels)) > 1]
    assert 1 <= len(slips) <= 0.01 * len(sample.issues)


def test_no_label_twice_and_three_areas_at_most(sample: Sample) -> None:
    for issue in sample.issues:
        assert len(set(issue.labels)) == len(issue.labels)
        assert len(AREAS & set(issue.labels)) <= 3


def test_some_issues_were_never_labelled(sample: Sample) -> None:
    unlabelled = sum(not issue.labels for issue in sample.issues)
    assert 0.08 <= unlabelled / len(sample.issues) <= 0.16


def test_lengths_vary_as_in_life(sample: Sample) -> None:
    lengths = [len(issue.body.split()) for issue in sample.issues]
    assert 35 <= median(lengths) <= 65
    assert min(lengths) <= 5
    assert max(lengths) >= 200


def test_titles_start_in_many_ways(sample: Sample) -> None:
    titles = [issue.title for issue in sample.issues]
    assert len(set(titles)) == len(titles)
    starts = Counter(" ".join(title.lower().split()[:2]) for title in titles)
    assert len(starts) > 0.75 * len(titles)
    assert starts.most_common(1)[0][1] < 0.03 * len(titles)


def test_no_body_is_nearly_another(sample: Sample) -> None:
    grams = {issue.number: _five_grams(issue.body) for issue in sample.issues}
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, found in grams.items():
        for gram in found:
            holders[gram].append(number)
    shared = Counter(pair for numbers in holders.values() for pair in combinations(numbers, 2))
    assert shared, "form headings alone make some pairs share a 5-gram"
    for (a, b), count in shared.items():
        assert count < 0.6 * len(grams[a] | grams[b]), (a, b)


def test_no_placeholder_is_left(sample: Sample) -> None:
    for issue in sample.issues:
        text = f"{issue.title}\n{issue.body}"
        assert not re.search(r"%[VUPp]\b|^@(nr|cmt|checks|uncheck)|^===", text, re.M), issue.number


def test_links_lead_to_nobody(sample: Sample) -> None:
    for issue in sample.issues:
        for host in re.findall(r"https?://([a-z0-9.-]+)", issue.body):
            assert _is_nobodys(host), (issue.number, host)


def _is_nobodys(host: str) -> bool:
    """Reserved for examples (RFC 2606), or this machine and its neighbours."""
    name = host.rstrip(".")
    return name.endswith((".example", "example.com")) or bool(re.fullmatch(r"[\d.]+|[a-z-]+", name))


def _five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

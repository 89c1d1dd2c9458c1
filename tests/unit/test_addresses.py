"""Addresses of the API: no name changes what is addressed."""

from __future__ import annotations

import pytest

from bot.errors import GiveUp
from bot.github.addresses import in_repository, of_issue


def test_a_name_stays_inside_its_part() -> None:
    assert of_issue("o/r", 3, "labels", "kind/bug? 100%#") == (
        "/repos/o/r/issues/3/labels/kind%2Fbug%3F%20100%25%23"
    )


@pytest.mark.parametrize("name", [".", "..", ""])
def test_a_name_that_would_address_what_is_above_it_is_refused(name: str) -> None:
    """`DELETE .../issues/3/labels/.` would take off all labels."""
    with pytest.raises(GiveUp, match="no address"):
        of_issue("o/r", 3, "labels", name)
    with pytest.raises(GiveUp, match="no address"):
        in_repository("o/r", "labels", name)


@pytest.mark.parametrize("name", ["o", "o/r/s", "o/..", "o/r?x", "../r"])
def test_what_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(GiveUp, match=r"no owner/name"):
        in_repository(name)

"""What holds while a rules file is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.core.rules import parse_rules
from bot.jobs.house_rules import quieter

GOOD = "mode: suggest  # for now\nexclude: [x]\n"


@pytest.mark.parametrize(
    ("last_good", "broken", "mode"),
    [
        ("", "mode: dry-run\nprecison: 0.9\n", "dry-run"),
        ("", "precison: 0.9\nmode: 'dry-run'   # try first\n", "dry-run"),
        ("", "mode: suggest\nx: [", "suggest"),
        ("", "precison: 0.9\n", "apply"),
        ("", "# mode: dry-run\nx: [\n", "apply"),
        ("", "labels:\n  mode: dry-run\n", "apply"),
        (GOOD, "mode: apply\nx: [", "suggest"),
        (GOOD, "mode: dry-run\nx: [", "dry-run"),
        (GOOD, "mode: drei\n", "suggest"),
        (GOOD, "", "suggest"),
    ],
)
def test_a_broken_file_can_only_make_it_quieter(last_good: str, broken: str, mode: str) -> None:
    assert parse_rules(quieter(last_good, broken=broken)).mode == mode


def test_the_other_last_good_rules_stay() -> None:
    quiet = parse_rules(quieter(GOOD, broken="mode: dry-run\nx: ["))
    assert quiet == replace(parse_rules(GOOD), mode="dry-run")
    assert quieter(GOOD, broken="mode: apply\nx: [") == GOOD

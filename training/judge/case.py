"""What the gate is shown and asked: a case, its terms, and the runs that came before. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.classify.lookback import ENOUGH
from bot.errors import UserError
from training.judge.bootstrap import Difference
from training.snapshot.manifest import Window

MORE_UNSEEN = (
    "A larger `held_back` in the recipe helps or, where half of a repository's labelled issues are fewer, "
    "more of these."
)
"""What a fit keeps from the encoder is bounded by both."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of a challenger."""

    alpha: float = 0.05
    least_issues: int = 200
    """Evaluation issues with a known pair, all repositories together."""
    least_positives: int = 100
    macro_margin: float = 0.01
    """How much lower macro-F1 may be: a point."""
    least_of_repository: int = 50
    """Evaluation issues from which a repository is tested for having become worse."""
    least_unseen: int = ENOUGH
    """Labelled issues of some repository, before its evaluation part, that the challenger did not learn from."""

    def too_few(self, known_issues: int, positives: int) -> str:
        """Why so little evidence tells nothing; "" if it does."""
        if known_issues >= self.least_issues and positives >= self.least_positives:
            return ""
        return (
            f"{known_issues} evaluation issues with {positives} labels set by humans are too few to tell; "
            f"{self.least_issues} and {self.least_positives} are asked for."
        )

    def silent(self, unseen: int) -> str:
        """Why a challenger could apply no label anywhere, however good; "" if it could somewhere."""
        if unseen >= self.least_unseen:
            return ""
        return (
            "cuts are proved on issues that an encoder did not learn from, and before the evaluation part no "
            f"repository has more than {unseen} labelled ones of these for the challenger, {self.least_unseen} are "
            f"asked for: it would apply nothing. {MORE_UNSEEN}"
        )


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run that came to the gate. `tried`: it was tested, and so spent alpha."""

    run: str
    champion: str
    challenger: str
    snapshot: str
    windows: Mapping[str, Window]
    tried: bool
    promoted: bool


@dataclass(frozen=True, slots=True)
class Served:
    """What a contender's own cuts applied: right and wrong known pairs of one repository."""

    right: int
    wrong: int
    target: float


@dataclass(frozen=True, slots=True)
class Case:
    """What the gate is shown. `issues` of each repository: all evaluation issues there."""

    run: str
    champion: str
    challenger: str
    snapshot: str
    windows: Mapping[str, Window]
    known_issues: int
    positives: int
    coverage: Difference
    """With each one's own cuts, chosen to keep the promise: the primary endpoint."""
    equal: Difference
    """At equal precision, by a cut chosen on the evaluation part: what lax cuts cannot buy."""
    macro_f1: Difference
    repositories: Mapping[str, Difference]
    issues: Mapping[str, int]
    served: Mapping[str, Served]
    served_before: Mapping[str, Served]
    """The same of the champion."""
    promised: int
    """Labels of all repositories that the challenger may apply, as the issues before the evaluation part prove."""
    corrections: tuple[int, int, int]
    """Past corrections; those that the champion honours and the challenger not; and the reverse."""
    over_twin: Difference | None = None
    """Coverage with own cuts, challenger minus its supervised twin; None: it has no twin."""


def past_run(kept: Mapping[str, Any]) -> PastRun:
    """The run that `record` wrote down; UserError if it is no such record."""
    try:
        windows = {
            name: Window(*(datetime.fromisoformat(at) if at else None for at in ends))
            for name, ends in kept["windows"].items()
        }
        named = {name: str(kept[name]) for name in ("run", "champion", "challenger", "snapshot")}
        return PastRun(
            **named, windows=windows, tried=bool(kept["tried"]), promoted=bool(kept["promoted"])
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"no record of a run that came to the gate ({error}); give the verdict.json of an evaluation"
        ) from None

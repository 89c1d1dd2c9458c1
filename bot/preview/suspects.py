"""Labels of the past that look wrong: set where the head of the day would not, or left out where it would.

Cleanlab's way for multi-label data, over known pairs only. Each pair's quality is the probability of what
the humans said (self-confidence); an issue's is the exponential moving average of its pairs' from best to
worst, so that the worst weigh most (Thyagarajan et al. 2022, https://arxiv.org/abs/2211.13895). A pair is
named when the other answer is likelier, and as likely as it is on average where it was given (confident
learning: Northcutt et al. 2021, https://arxiv.org/abs/1911.00068).

The package itself is not used: it brings pandas and scikit-learn (135 MB) for these few lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs

ALPHA = 0.8
"""Weight of the next worse pair; the paper's choice."""
FEWEST = 5
"""Pairs of one answer from which a label's own average counts."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A pair that looks wrong: what humans said of it, and how likely that is."""

    row: int
    column: int
    was_set: bool
    """True: the label looks wrong. False: it looks forgotten."""
    confidence: float
    """Probability of what the humans said."""


def issue_quality(probabilities: NDArray[np.float64], known: KnownPairs) -> NDArray[np.float64]:
    """Quality in [0, 1] of each issue's known pairs taken together; NaN for an issue without any."""
    scores = np.full(len(known), np.nan)
    for row, qualities in enumerate(_self_confidence(probabilities, known)):
        told = np.sort(qualities[~np.isnan(qualities)])[::-1]
        if len(told):
            score = told[0]
            for quality in told[1:]:
                score = ALPHA * quality + (1 - ALPHA) * score
            scores[row] = score
    return scores


def suspects(
    probabilities: NDArray[np.float64], known: KnownPairs, *, most: int = 30
) -> list[Suspect]:
    """Pairs that look wrong, those of the worst issues first. `probabilities` [n, L] come from heads
    that had not seen the issue; NaN where there was none."""
    confidence = _self_confidence(probabilities, known)
    doubted = (confidence < 0.5) & (1 - confidence >= _usual(confidence, known))
    quality = issue_quality(probabilities, known)
    pairs = [(int(row), int(column)) for row, column in np.argwhere(doubted)]
    pairs.sort(key=lambda pair: (quality[pair[0]], confidence[pair]))
    return [
        Suspect(row, column, bool(known[row, column] > 0), float(confidence[row, column]))
        for row, column in pairs[:most]
    ]


def _self_confidence(probabilities: NDArray[np.float64], known: KnownPairs) -> NDArray[np.float64]:
    """[n, L]: probability of what the humans said; NaN for pairs that are unknown or were not scored."""
    said = np.where(known > 0, probabilities, 1 - probabilities)
    return np.where(known == 0, np.nan, said)


def _usual(confidence: NDArray[np.float64], known: KnownPairs) -> NDArray[np.float64]:
    """[n, L]: mean confidence in the *other* answer of that label, where it was given."""
    usual = np.empty_like(confidence)
    for answer in (1, -1):
        given = (known == answer) & ~np.isnan(confidence)
        pooled = confidence[given].mean() if given.any() else np.inf
        for column in range(known.shape[1]):
            own = confidence[given[:, column], column]
            mean = own.mean() if len(own) >= FEWEST else pooled
            usual[known[:, column] == -answer, column] = mean
    usual[known == 0] = np.inf
    return usual

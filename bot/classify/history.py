"""What a repository has taught so far, as arrays. Values only; refuses histories out of time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.types import IssueText


@dataclass(frozen=True, slots=True)
class History:
    """Issues, oldest first. `vectors` [n, d]: unit rows of the encoder that serves; `known` [n, L]:
    +1, -1 or 0; `times` [n]: seconds, never decreasing; `associations` [n]: of the author, if known."""

    texts: Sequence[IssueText]
    vectors: NDArray[np.float32]
    known: NDArray[np.int8]
    times: NDArray[np.float64]
    associations: Sequence[str] | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.texts), len(self.vectors), len(self.known), len(self.times)}
        if self.associations is not None:
            sizes.add(len(self.associations))
        if len(sizes) > 1:
            raise ValueError(f"texts, vectors, known, times differ in length: {sorted(sizes)}")
        if len(self.times) > 1 and (np.diff(self.times) < 0).any():
            raise ValueError("a history must be oldest first")

    @property
    def informed(self) -> NDArray[np.bool_]:
        """[n]: issues with at least one known pair."""
        return np.asarray((self.known != 0).any(axis=1))

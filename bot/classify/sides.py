"""The two sides of a head: logits from the issue's vector and logits from its words.

The vector side is a logistic regression whose prior mean is the zero-shot direction, the label's own
vector minus the mean of the repository's label vectors; the word side has prior mean zero. Refuses
unknown pairs in its fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.history import History
from bot.classify.logistic import Linear, Prior, fit_logistic
from bot.classify.words import Vocabulary, count_words, learn_vocabulary, weigh_words
from bot.core.types import IssueText

Floats = NDArray[np.float32]

ZERO_SHOT_SCALE = 6.0
VECTOR_PENALTY = 0.3
WORD_PENALTY = 0.1
CENTRE_WEIGHT = 4
"""Issues that the mean label vector stands for in the repository's mean, until there are real ones."""
STEPS = 60


@dataclass(frozen=True, slots=True)
class Sides:
    """Fitted sides. `centre` [d] is the repository's mean vector."""

    centre: Floats
    vector: Linear
    vocabulary: Vocabulary
    words: Linear

    def logits(
        self,
        texts: Sequence[IssueText],
        vectors: Floats,
        associations: Sequence[str] | None = None,
    ) -> Floats:
        """[2, n, L]: the vector side's, the word side's."""
        return self.logits_of(vectors, count_words(texts, extra=associations))

    def logits_of(self, vectors: Floats, counts: csr_matrix) -> Floats:
        """The same from word counts already made."""
        words = weigh_words(counts, self.vocabulary)
        return np.stack([self.vector.logits(vectors - self.centre), self.words.logits(words)])


def fit_sides(
    vectors: Floats, counts: csr_matrix, known: NDArray[np.int8], label_vectors: Floats
) -> Sides:
    """Fit both sides on vectors [n, d], word counts [n, ids] and known pairs [n, L]."""
    centre = (vectors.sum(axis=0) + CENTRE_WEIGHT * label_vectors.mean(axis=0)) / (
        len(vectors) + CENTRE_WEIGHT
    )
    intercepts = _base_rates(known)
    vocabulary = learn_vocabulary(counts)
    flat = np.zeros((len(vocabulary.ids), known.shape[1]), dtype=np.float32)
    return Sides(
        centre=centre.astype(np.float32),
        vector=fit_logistic(
            (vectors - centre).astype(np.float32),
            known,
            _prior(zero_shot(label_vectors), intercepts, VECTOR_PENALTY),
            max_steps=STEPS,
        ),
        vocabulary=vocabulary,
        words=fit_logistic(
            weigh_words(counts, vocabulary),
            known,
            _prior(flat, intercepts, WORD_PENALTY),
            max_steps=STEPS,
        ),
    )


def refit_column(
    sides: Sides, history: History, known: NDArray[np.int8], label_vectors: Floats, column: int
) -> Sides:
    """Both sides of one label learned anew from where they stood; the others stay."""
    one = slice(column, column + 1)
    words = weigh_words(count_words(history.texts, extra=history.associations), sides.vocabulary)
    intercepts = _base_rates(known[:, one])
    flat = np.zeros((len(sides.vocabulary.ids), 1), dtype=np.float32)
    direction = zero_shot(label_vectors)[:, one]
    vector_prior = _prior(direction, intercepts, VECTOR_PENALTY)
    word_prior = _prior(flat, intercepts, WORD_PENALTY)
    centred = (history.vectors - sides.centre).astype(np.float32)
    vector = fit_logistic(centred, known[:, one], vector_prior, start=_column(sides.vector, one))
    word = fit_logistic(words, known[:, one], word_prior, start=_column(sides.words, one))
    return Sides(
        centre=sides.centre,
        vector=_replaced(sides.vector, vector, one),
        vocabulary=sides.vocabulary,
        words=_replaced(sides.words, word, one),
    )


def zero_shot(label_vectors: Floats) -> Floats:
    """Directions [d, L] that the labels' own words point to, of length `ZERO_SHOT_SCALE`."""
    away = label_vectors - label_vectors.mean(axis=0)
    lengths = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(ZERO_SHOT_SCALE * (away / np.maximum(lengths, 1e-6)).T, dtype=np.float32)


def _base_rates(known: NDArray[np.int8]) -> Floats:
    """Log-odds [L] of a label among its known pairs, smoothed towards rare."""
    positives, negatives = (known > 0).sum(axis=0), (known < 0).sum(axis=0)
    return np.log((positives + 0.5) / (negatives + 2.0)).astype(np.float32)


def _prior(weights: Floats, intercepts: Floats, penalty: float) -> Prior:
    return Prior(
        weights=weights,
        intercepts=intercepts,
        penalty=np.full(weights.shape[1], penalty, dtype=np.float32),
        intercept_penalty=0.1,
    )


def _column(side: Linear, one: slice) -> Linear:
    return Linear(side.weights[:, one], side.intercepts[one])


def _replaced(side: Linear, column: Linear, one: slice) -> Linear:
    weights, intercepts = side.weights.copy(), side.intercepts.copy()
    weights[:, one], intercepts[one] = column.weights, column.intercepts
    return Linear(weights, intercepts)

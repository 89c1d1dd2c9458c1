"""The two sides of a head, the issue's vector and its words, and what they bring before the combiner.

The vector side is a logistic regression whose prior mean is the zero-shot direction, the label's own
vector minus the mean of the repository's label vectors; that of the word side is in the words of the
label's name. Refuses unknown pairs in its fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.history import History
from bot.classify.logistic import Linear, Prior, fit_logistic
from bot.classify.names import NAME_WEIGHT, name_words
from bot.classify.words import (
    Vocabulary,
    count_words,
    features_of,
    learn_vocabulary,
    weigh_words,
)
from bot.core.provenance import STANDING
from bot.core.types import IssueText

Floats = NDArray[np.float32]

ZERO_SHOT_SCALE = 9.0
VECTOR_PENALTY = 0.1
WORD_PENALTY = 0.1
VECTOR_CAUTION, WORD_CAUTION = 5, 10
"""With this many positives a penalty is still doubled: the first examples of a label must not drown what
its own words say, least of all by the word side, which starts from nothing."""
INTERCEPT_PENALTY = 1.0
"""Towards the base rate; looser, and a handful of examples would shift every score of their label."""
CENTRE_WEIGHT = 4
"""Issues that the mean label vector stands for in the repository's mean, until there are real ones."""
STEPS = 60

EVIDENCE = ("vector", "words", "base", "rival")
"""What a pair is judged by: the logit of each side less the base rate's, the base rate's log-odds, and
the logit of the strongest other label of its family."""
NO_RIVAL = -4.0


@dataclass(frozen=True, slots=True)
class Sides:
    """Fitted sides. `centre` [d] is the repository's mean vector, `base` [L] the labels' log-odds,
    `family` [L] numbers the labels' families."""

    centre: Floats
    vector: Linear
    vocabulary: Vocabulary
    words: Linear
    base: Floats
    family: NDArray[np.int32]

    def evidence(
        self,
        texts: Sequence[IssueText],
        vectors: Floats,
        associations: Sequence[str] | None = None,
    ) -> Floats:
        """[4, n, L], in the order of `EVIDENCE`."""
        return self.evidence_of(vectors, count_words(texts, extra=author_marks(associations)))

    def evidence_of(self, vectors: Floats, counts: csr_matrix) -> Floats:
        """The same from word counts already made."""
        return self.evidence_from(vectors, weigh_words(counts, self.vocabulary))

    def evidence_from(self, vectors: Floats, weighed: csr_matrix) -> Floats:
        """The same from words weighed by this vocabulary."""
        vector = self.vector.logits(vectors - self.centre)
        words = self.words.logits(weighed)
        base = np.broadcast_to(self.base, vector.shape)
        rival = strongest_rival(np.float32(0.5) * (vector + words), self.family)
        return np.stack([vector - base, words - base, base, rival])


def fit_sides(
    vectors: Floats,
    counts: csr_matrix,
    known: NDArray[np.int8],
    *,
    names: Sequence[str],
    label_vectors: Floats,
    family: NDArray[np.int32],
    weights: Floats | None,
    start: Sides | None,
) -> Sides:
    """Fit both sides on vectors [n, d], word counts [n, ids] and known pairs [n, L], each counted
    `weights` [n, L] times. `names` and `label_vectors` [L, d]: what is known of a label without any
    issue. `start`: sides fitted on less, to begin from; saves steps and changes the
    result within the tolerance."""
    stand_in = CENTRE_WEIGHT / max(1, len(label_vectors)) * label_vectors.sum(axis=0)
    centre = ((vectors.sum(axis=0) + stand_in) / (len(vectors) + CENTRE_WEIGHT)).astype(np.float32)
    vocabulary = learn_vocabulary(counts)
    told = np.flatnonzero((known != 0).any(axis=1))
    truth = known[told]
    often = weights[told] if weights is not None else None
    return Sides(
        centre=centre,
        vector=fit_logistic(
            _centred(vectors, told, centre),
            truth,
            _vector_prior(truth, zero_shot(label_vectors)),
            weights=often,
            start=start.vector if start else None,
            max_steps=STEPS,
        ),
        vocabulary=vocabulary,
        words=fit_logistic(
            weigh_words(counts[told], vocabulary),
            truth,
            _word_prior(truth, said_by_names(vocabulary, names)),
            weights=often,
            start=_carried(start, vocabulary) if start else None,
            max_steps=STEPS,
        ),
        base=base_rates(truth),
        family=family,
    )


@dataclass(frozen=True, slots=True)
class Taught:
    """What columns are learned from: vectors [n, d], weighed words [n, features], known pairs [n, L],
    and how often each counts, once where `weights` is None."""

    vectors: Floats
    words: csr_matrix
    known: NDArray[np.int8]
    weights: Floats | None = None


def counted(history: History) -> csr_matrix:
    """The word counts [n, IDS] of a history, made now if nobody made them before."""
    if history.counts is not None:
        return history.counts
    return count_words(history.texts, extra=author_marks(history.associations))


def taught(history: History, vocabulary: Vocabulary) -> Taught:
    words = weigh_words(counted(history), vocabulary)
    return Taught(history.vectors, words, *history.told)


def refit_columns(
    sides: Sides,
    columns: Sequence[int],
    *,
    taught: Taught,
    names: Sequence[str],
    label_vectors: Floats,
    rows: NDArray[np.bool_] | None = None,
) -> Sides:
    """Both sides of some labels learned anew from where they stood; the others stay. `names`: of all
    labels. `rows` [n]: what they may learn from, everything if not given."""
    picked = list(columns)
    allowed = np.ones(len(taught.known), dtype=np.bool_) if rows is None else rows
    told = np.flatnonzero((taught.known[:, picked] != 0).any(axis=1) & allowed)
    truth = taught.known[told][:, picked]
    weights = taught.weights[told][:, picked] if taught.weights is not None else None
    vector = fit_logistic(
        _centred(taught.vectors, told, sides.centre),
        truth,
        _vector_prior(truth, zero_shot(label_vectors)[:, picked]),
        weights=weights,
        start=_columns(sides.vector, picked),
    )
    words = fit_logistic(
        taught.words[told],
        truth,
        _word_prior(truth, said_by_names(sides.vocabulary, names)[:, picked]),
        weights=weights,
        start=_columns(sides.words, picked),
    )
    moved = sides.base.copy()
    moved[picked] = base_rates(truth)
    return replace(
        sides,
        vector=_replaced(sides.vector, vector, picked),
        words=_replaced(sides.words, words, picked),
        base=moved,
    )


def _centred(vectors: Floats, rows: NDArray[np.int64], centre: Floats) -> Floats:
    """A copy of these rows about the centre; of a large history there is one, not two."""
    found = vectors[rows]
    found -= centre
    return found


def author_marks(associations: Sequence[str] | None) -> list[str] | None:
    """One word mark per issue: whether its author belongs to the project. Finer kinds change after
    an issue is filed, so that a history read today would show them as they were not."""
    if associations is None:
        return None
    return ["insider" if found in STANDING else "" for found in associations]


def zero_shot(label_vectors: Floats) -> Floats:
    """Directions [d, L] that the labels' own words point to, of length `ZERO_SHOT_SCALE`."""
    away = label_vectors - label_vectors.sum(axis=0) / max(1, len(label_vectors))
    lengths = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(ZERO_SHOT_SCALE * (away / np.maximum(lengths, 1e-6)).T, dtype=np.float32)


def base_rates(known: NDArray[np.int8]) -> Floats:
    """Log-odds [L] of a label among its known pairs, smoothed towards rare."""
    positives, negatives = (known > 0).sum(axis=0), (known < 0).sum(axis=0)
    return np.asarray(np.log((positives + 1.0) / (negatives + 4.0)), dtype=np.float32)


def strongest_rival(logits: Floats, family: NDArray[np.int32]) -> Floats:
    """Per pair [n, L] the largest logit among the other labels of the family, within +-4."""
    rivals = np.full(logits.shape, NO_RIVAL, dtype=np.float32)
    for number in np.unique(family):
        columns = np.flatnonzero(family == number)
        if len(columns) < 2 or not len(logits):
            continue
        inside = logits[:, columns]
        second, first = np.sort(inside, axis=1)[:, -2:].T[:, :, None]
        rivals[:, columns] = np.where(inside >= first, second, first)
    return np.asarray(np.clip(rivals, NO_RIVAL, -NO_RIVAL), dtype=np.float32)


def _penalty(known: NDArray[np.int8], *, least: float, caution: int) -> Floats:
    """Per label [L], falling to `least` as its positives grow."""
    positives = np.maximum((known > 0).sum(axis=0), 1)
    return np.asarray(least * (1 + caution / positives), dtype=np.float32)


def _vector_prior(known: NDArray[np.int8], direction: Floats) -> Prior:
    penalty = _penalty(known, least=VECTOR_PENALTY, caution=VECTOR_CAUTION)
    return _prior(direction, base_rates(known), penalty)


def _word_prior(known: NDArray[np.int8], said: Floats) -> Prior:
    penalty = _penalty(known, least=WORD_PENALTY, caution=WORD_CAUTION)
    return _prior(said, base_rates(known), penalty)


def said_by_names(vocabulary: Vocabulary, names: Sequence[str]) -> Floats:
    """Weights [features, L] that the names of the labels give to their words."""
    said = np.zeros((len(vocabulary.ids), len(names)), dtype=np.float32)
    for column, words in enumerate(name_words(names)):
        ids = np.concatenate([features_of(word) for word in words])
        said[np.isin(vocabulary.ids, ids), column] = NAME_WEIGHT
    return said


def _prior(weights: Floats, intercepts: Floats, penalty: Floats) -> Prior:
    return Prior(
        weights=weights,
        intercepts=intercepts,
        penalty=penalty,
        intercept_penalty=INTERCEPT_PENALTY,
    )


def _carried(start: Sides, vocabulary: Vocabulary) -> Linear:
    """The word side of `start` in another vocabulary; new words weigh nothing yet."""
    weights = np.zeros((len(vocabulary.ids), len(start.base)), dtype=np.float32)
    _, new, old = np.intersect1d(
        vocabulary.ids, start.vocabulary.ids, assume_unique=True, return_indices=True
    )
    weights[new] = start.words.weights[old]
    return Linear(weights, start.words.intercepts)


def _columns(side: Linear, picked: list[int]) -> Linear:
    return Linear(side.weights[:, picked], side.intercepts[picked])


def _replaced(side: Linear, columns: Linear, picked: list[int]) -> Linear:
    weights, intercepts = side.weights.copy(), side.intercepts.copy()
    weights[:, picked], intercepts[picked] = columns.weights, columns.intercepts
    return Linear(weights, intercepts)

"""SetFit by its own Trainer: the reference that every recipe of ours has to beat on the same data.

Its defaults with five iterations. One-vs-rest for multi-label data, as its other strategies fail on a
label without positives; an unknown pair counts as a no, for it knows no unknown.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.errors import UserError
from training.data import FiledIssue
from training.network import encoder_directory
from training.recipe import Recipe
from training.scoring.held_out import HeldOut
from training.scoring.stacking import Floats64
from training.task import LabelSpace, Task

ITERATIONS = 5


@dataclass(frozen=True, slots=True)
class SetFitScorer:
    """A trained SetFit model. It holds nothing out, so it has no cut and no thresholds but one half."""

    space: LabelSpace
    model: Any
    held_out: HeldOut | None = None

    def probabilities(self, issues: Sequence[FiledIssue]) -> Floats64:
        texts = [issue.text.joined for issue in issues]
        found = np.asarray(self.model.predict_proba(texts, as_numpy=True), dtype=np.float64)
        if self.space.single:  # columns are the classes that were seen, ascending
            full = np.zeros((len(issues), len(self.space.labels)))
            full[:, self.model.model_head.classes_] = found
            found = full
        return found * self.space.allowed(self.space.repo_index(issues))


def train_setfit(task: Task, recipe: Recipe, *, seed: int, base: Path | None) -> SetFitScorer:
    """Train on the issues of a task that carry one of its labels. UserError if all carry the same."""
    from datasets import Dataset  # type: ignore[import-untyped,unused-ignore]
    from setfit import SetFitModel, Trainer, TrainingArguments

    positive = task.known > 0
    rows = np.flatnonzero(
        positive.any(axis=1)
    )  # a row without labels would become a (x, x) -> 0 pair
    if len(np.unique(positive[rows], axis=0)) < 2:
        raise UserError(
            f"All {len(rows)} issues of {', '.join(task.space.repos[:3])} bear the same labels: SetFit learns "
            "from what differs. Leave the repository out, or take another recipe."
        )
    targets = positive.argmax(axis=1) if task.space.single else positive.astype(int)
    data = Dataset.from_dict(
        {
            "text": [task.issues[i].text.joined for i in rows],
            "label": [targets[i].tolist() for i in rows],
        }
    )
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SetFitModel.from_pretrained(
            str(encoder_directory(base)),
            multi_target_strategy=None if task.space.single else "one-vs-rest",
        )
        model.model_body.max_seq_length = recipe.max_tokens
        arguments = TrainingArguments(
            output_dir=scratch,
            num_iterations=ITERATIONS,
            seed=seed,
            report_to="none",
            save_strategy="no",
            show_progress_bar=False,
        )
        Trainer(model=model, args=arguments, train_dataset=data, metric=_no_metric).train()
    return SetFitScorer(task.space, model)


def _no_metric(predicted: Any, expected: Any) -> dict[str, float]:
    """SetFit would fetch its default metric from the network."""
    return {"n": float(len(predicted) + len(expected)) / 2}

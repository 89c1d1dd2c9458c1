"""Who the encoder is measured against, on the weights that it serves. Imports torch where it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.classify.weights import find_base_weights

Predict = Callable[[list[str]], Any]


def setfit_model(
    weights: np.ndarray, intercepts: np.ndarray, *, threads: int, tokens: int
) -> Predict:
    import torch
    from setfit import SetFitModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    torch.set_num_threads(threads)
    model = SetFitModel.from_pretrained(
        str(find_base_weights()), device="cpu", multi_target_strategy="one-vs-rest"
    )
    model.model_body.max_seq_length = tokens
    head = OneVsRestClassifier(LogisticRegression())
    rows = np.vstack([weights, -weights])
    head.fit(rows, np.vstack([np.eye(len(intercepts)), 1 - np.eye(len(intercepts))]).astype(int))
    for label, estimator in enumerate(head.estimators_):
        estimator.coef_, estimator.intercept_ = weights[[label]], intercepts[[label]]
    model.model_head = head
    return lambda texts: model.predict(texts, batch_size=32, show_progress_bar=False)


def zero_shot_pipeline(folder: Path, labels: Sequence[str], *, tokens: int) -> Predict:
    """The pipeline on an encoder of the same size; its verdicts are random, its cost is not."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, pipeline

    names = ["contradiction", "neutral", "entailment"]
    config = BertConfig.from_pretrained(find_base_weights())
    config.id2label = dict(enumerate(names))
    config.label2id = {name: index for index, name in enumerate(names)}
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(find_base_weights()))
    tokenizer.model_max_length = tokens
    pipe = pipeline(
        "zero-shot-classification", model=str(folder), tokenizer=tokenizer, device="cpu"
    )
    return lambda texts: pipe(texts, list(labels), multi_label=True)

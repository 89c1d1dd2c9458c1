"""Zero-shot by NLI on a tiny model made here, held against transformers' own pipeline."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

from bot.classify.zeroshot import ZeroShot, verdicts
from bot.errors import UserError
from tests.fixtures.bundle import tiny_tokenizer

TEXTS = ["crash when the file is open", "how to label a bug", "docs " * 90]
PHRASES = ["a bug", "docs", "how to fix the build"]


@pytest.fixture(scope="module")
def nli_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights with the three outputs of MNLI, in the order of bart-large-mnli."""
    directory = tmp_path_factory.mktemp("nli")
    save_model(directory, ["contradiction", "neutral", "entailment"])
    return directory


def save_model(directory: Path, labels: list[str]) -> None:
    torch.manual_seed(3)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer(),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,  # so that random weights have opinions
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def test_agrees_with_the_pipeline_of_transformers(nli_model: Path) -> None:
    peer = pipeline("zero-shot-classification", model=str(nli_model), device="cpu")
    ours = ZeroShot.open(nli_model, max_tokens=64, batch_size=4).scores(TEXTS, PHRASES)
    answers = peer(TEXTS, PHRASES, multi_label=True, hypothesis_template="This issue is about {}.")
    for row, answer in zip(ours, answers, strict=True):
        theirs = dict(zip(answer["labels"], answer["scores"], strict=True))
        np.testing.assert_allclose(row, [theirs[phrase] for phrase in PHRASES], atol=1e-5)
    assert np.ptp(ours) > 0.05


def test_each_label_is_judged_for_itself(nli_model: Path) -> None:
    model = ZeroShot.open(nli_model, max_tokens=64)
    together = model.scores(TEXTS, PHRASES)
    alone = np.hstack([model.scores(TEXTS, [phrase]) for phrase in PHRASES])
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_template_is_what_is_asked(nli_model: Path) -> None:
    plain = ZeroShot.open(nli_model, hypothesis="{}", max_tokens=64).scores(TEXTS, ["the docs"])
    asked = ZeroShot.open(nli_model, hypothesis="the {}", max_tokens=64).scores(TEXTS, ["docs"])
    np.testing.assert_array_equal(plain, asked)
    with pytest.raises(UserError, match=r"has no \{\}"):
        ZeroShot.open(nli_model, hypothesis="about bugs")


def test_nothing_to_judge(nli_model: Path) -> None:
    model = ZeroShot.open(nli_model)
    assert model.scores([], PHRASES).shape == (0, 3)
    assert model.scores(TEXTS, []).shape == (3, 0)


@pytest.mark.parametrize(
    ("label2id", "expected"),
    [
        ({"contradiction": 0, "neutral": 1, "entailment": 2}, (0, 2)),
        ({"ENTAILMENT": 0, "NEUTRAL": 1, "CONTRADICTION": 2}, (2, 0)),
        ({"entailment": 0, "not_entailment": 1}, (1, 0)),
    ],
)
def test_finds_entailment_by_its_name(label2id: dict[str, int], expected: tuple[int, int]) -> None:
    assert verdicts(label2id) == expected


def test_refuses_a_model_of_something_else(tmp_path: Path) -> None:
    save_model(tmp_path, ["negative", "positive"])
    with pytest.raises(UserError, match=r"labels are negative, positive.*\(MNLI\)"):
        ZeroShot.open(tmp_path)


def test_says_which_model_it_cannot_open(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"Cannot open the NLI model {tmp_path}"):
        ZeroShot.open(tmp_path)


def test_without_the_extra_says_how_to_get_it(
    nli_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'labelwright\[nli\]'"):
        ZeroShot.open(nli_model)

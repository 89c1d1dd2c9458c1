"""Encoders of a given shape with random weights, and made-up issues: speed does not ask for meaning."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import BertConfig, BertModel

LABELS = ("bug", "enhancement", "question")


@dataclass(frozen=True, slots=True)
class Shape:
    layers: int
    hidden: int
    heads: int
    vocabulary: int = 30_522

    @property
    def matrices(self) -> int:
        """Weights that every token is multiplied with."""
        return self.layers * 12 * self.hidden**2

    def flops(self, tokens: int) -> float:
        """Of a text of so many tokens, forward and backward, attention included."""
        return tokens * (6 * self.matrices + 12 * self.layers * self.hidden * tokens)


SHAPES: Mapping[str, Shape] = {
    "tiny": Shape(layers=2, hidden=64, heads=2, vocabulary=1000),
    "minilm": Shape(layers=6, hidden=384, heads=12),
    "base": Shape(layers=12, hidden=768, heads=12),
}
"""`base`: bge-base and all-mpnet-base-v2."""


def make_encoder(path: Path, shape: Shape) -> Path:
    """Without dropout, so that any number of ranks must come to the same weights."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(path)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"w{i}" for i in range(shape.vocabulary - 4))]
    tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def make_issues(path: Path, count: int, *, repos: int = 4, seed: int = 0) -> Path:
    """A file of issues whose lengths are spread as those of real ones are: many short, some long."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            label = rng.choice(LABELS)
            first = 1 + LABELS.index(label) * 50
            words = [f"w{rng.randrange(first, first + 200)}" for _ in range(_length(rng))]
            row = {
                "repo": f"made/up{number % repos}",
                "number": number,
                "title": " ".join(words[:8]),
                "body": " ".join(words[8:]),
                "labels": [label],
            }
            file.write(json.dumps(row) + "\n")
    return path


def _length(rng: random.Random) -> int:
    return max(12, min(int(rng.lognormvariate(4.6, 0.8)), 600))

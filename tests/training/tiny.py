"""A tiny random encoder and made-up issues that it can learn from in seconds."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.core.text import issue_text
from training.data import FiledIssue
from training.recipe import RECIPES, Recipe

WORDS = {
    "bug": ["crash", "error", "broken", "wrong", "fails", "exception", "regression", "freeze"],
    "feature": ["add", "support", "option", "allow", "request", "please", "improve", "new"],
    "question": ["how", "why", "what", "where", "can", "should", "understand", "explain"],
}
FILLER = ["the", "window", "file", "with", "button", "page", "when", "server", "config", "user"]

TINY = replace(
    RECIPES["standard"],
    name="tiny",
    max_tokens=24,
    epochs=6,
    learning_rate=2e-3,
    batch=16,
    held_back=0,
    held_out_parts=2,
    frozen=0.0,
    precision="fp32",
)
"""Small enough for seconds; a random encoder needs larger steps than a trained one."""


def tiny_recipe(**changes: Any) -> Recipe:
    return replace(TINY, **changes)


def make_tiny_encoder(path: Path, *, more: Sequence[str] = ()) -> Path:
    """A random two-layer BERT with a word-level tokenizer, in Hugging Face's layout. `more`: words that it
    knows besides."""
    import torch
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FILLER, *(w for ws in WORDS.values() for w in ws)]
    vocabulary = {
        word: i for i, word in enumerate(dict.fromkeys([*words, *WORDS, "[MASK]", *more]))
    }
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"})
    )
    return path


def make_rows(
    count: int, *, repos: Sequence[str] = ("a/one",), seed: int = 0, two_labels: bool = False
) -> list[dict[str, Any]]:
    """Issues whose words tell their label; the labels take turns. `two_labels`: also `area/x`."""
    rng = random.Random(seed)
    names = sorted(WORDS)
    rows = []
    for i in range(count):
        label = names[i % len(names)]
        area = f"area/{'xy'[i % 2]}"
        words = rng.choices(WORDS[label], k=3) + rng.choices(FILLER, k=5)
        if two_labels:
            words += [FILLER[0 if area == "area/x" else 1]] * 2
        rng.shuffle(words)
        rows.append(
            {
                "repo": repos[(i // len(names)) % len(repos)],
                "number": i,
                "title": " ".join(words[:5]),
                "body": " ".join(words[5:]),
                "labels": [label, area] if two_labels else [label],
            }
        )
    return rows


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def filed(rows: Iterable[dict[str, Any]]) -> list[FiledIssue]:
    return [
        FiledIssue(r["repo"], issue_text(r["title"], r["body"]), frozenset(r["labels"]))
        for r in rows
    ]

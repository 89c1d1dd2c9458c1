"""Zero-shot by natural language inference: does the issue entail "This issue is about X."?

Any cross-encoder trained on MNLI. Needs the extra `nli` (torch, transformers), imported when a model
is opened; the bot itself never opens one. After Yin et al., https://arxiv.org/abs/1909.00161.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bot.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MODEL = "facebook/bart-large-mnli"
HYPOTHESIS = "This issue is about {}."


class ZeroShot:
    """An open NLI model. Each pair of text and phrase costs one pass: for patience, not for serving."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        hypothesis: str,
        max_tokens: int,
        batch_size: int,
    ) -> None:
        if "{}" not in hypothesis:
            raise UserError(f"The hypothesis {hypothesis!r} has no {{}} where the label goes")
        self._against, self._entailed = verdicts(model.config.label2id)
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._hypothesis = hypothesis
        self._max_tokens = max_tokens
        self._batch_size = batch_size

    @classmethod
    def open(
        cls,
        model: str | Path = MODEL,
        *,
        hypothesis: str = HYPOTHESIS,
        max_tokens: int = 256,
        batch_size: int = 16,
    ) -> ZeroShot:
        """The model in a directory or on the hub.

        Raises:
            UserError: the extra is not installed, the model cannot be had, or it is not an NLI model.
        """
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise UserError(
                f"Zero-shot by NLI needs {error.name}: pip install 'labelwright[nli]'"
            ) from None
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(model))
            network = AutoModelForSequenceClassification.from_pretrained(
                str(model), use_safetensors=True
            )
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"Cannot open the NLI model {model}: {reason}") from error
        return cls(
            network,
            tokenizer,
            hypothesis=hypothesis,
            max_tokens=max_tokens,
            batch_size=batch_size,
        )

    def scores(self, texts: Sequence[str], phrases: Sequence[str]) -> np.ndarray:
        """float32 [texts, phrases] in [0, 1]: each phrase judged for itself, so many may hold at once."""
        pairs = [(text, self._hypothesis.format(phrase)) for text in texts for phrase in phrases]
        found = np.empty(len(pairs), dtype=np.float32)
        for start in range(0, len(pairs), self._batch_size):
            part = slice(start, start + self._batch_size)
            found[part] = self._entailment(pairs[part])
        return found.reshape(len(texts), len(phrases))

    def _entailment(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Entailment against contradiction; neutral is left out, as is usual for many labels."""
        import torch

        inputs = self._tokenizer(
            [text for text, _ in pairs],
            [hypothesis for _, hypothesis in pairs],
            truncation="only_first",
            max_length=self._max_tokens,
            padding=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            logits = self._model(**inputs).logits[:, [self._against, self._entailed]]
        return logits.float().softmax(dim=1)[:, 1].numpy()


def verdicts(label2id: Mapping[str, int]) -> tuple[int, int]:
    """Which outputs speak against a hypothesis and for it.

    Raises:
        UserError: the model's labels are not those of inference.
    """
    names = {name.lower(): index for name, index in label2id.items()}
    entailed = [index for name, index in names.items() if name.startswith("entail")]
    against = [index for name, index in names.items() if name.startswith(("contra", "not_entail"))]
    if len(entailed) != 1 or len(against) != 1:
        raise UserError(
            f"The model's labels are {', '.join(label2id)}, where entailment and contradiction are "
            "needed; choose a model trained for NLI (MNLI)"
        )
    return against[0], entailed[0]

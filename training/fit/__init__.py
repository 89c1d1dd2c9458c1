"""Tunes a sentence encoder on labelled issues: one pass per example and epoch.

`python -m training.fit` is what torchrun starts; `fit_network` is the same loop for who has the issues
in hand.
"""

from training.fit.inference import encode, head_logits
from training.fit.labelled import OnStep, fit_network, texts_of

__all__ = ["OnStep", "encode", "fit_network", "head_logits", "texts_of"]

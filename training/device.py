"""Where the work runs and in which arithmetic: CUDA if there, else the CPU; bf16 where it is native."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import torch

from training.recipe import Precision


@dataclass(frozen=True, slots=True)
class Device:
    """A device and whether matrix products run in bfloat16 (weights and sums stay in float32)."""

    kind: str
    bf16: bool

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        if not self.bf16:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[object] = torch.autocast(
            self.kind, dtype=torch.bfloat16
        )
        return context

    def __str__(self) -> str:
        return f"{self.kind}, {'bf16' if self.bf16 else 'fp32'}"


def find_device(precision: Precision) -> Device:
    """`auto` takes bf16 on CUDA, and on a CPU with bf16 instructions (elsewhere it is emulated)."""
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    native = kind == "cuda" or _cpu_has_bf16()
    return Device(kind, bf16=precision == "bf16" or (precision == "auto" and native))


def _cpu_has_bf16() -> bool:
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))

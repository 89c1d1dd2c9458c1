"""The model card of a challenger: what it was taught, how, what it is worth, where it must not be trusted.

Markdown with the front matter that model hubs read. The carbon figure is an estimate, its assumptions
beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.classify.bundle import Manifest as BundleManifest
from training.judge.evaluate import Evaluation
from training.judge.gate import Verdict

CPU_WATTS = 15.0
"""Of one busy server core with its share of memory and cooling."""
GPU_WATTS = 500.0
"""Of one data-centre GPU under training load with its share of the host."""
GRAMS_PER_KWH = 400.0
"""World mean of electricity, roughly; set by where the machine stands."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Measured work. `device` and seconds of the fit are unknown where it was not ours."""

    fit_seconds: float = 0.0
    fit_device: str = "unknown"
    fit_ranks: int = 1
    cpu_seconds: float = 0.0
    """Processor time of the evaluation."""

    @property
    def watt_hours(self) -> float:
        watts = GPU_WATTS if "cuda" in self.fit_device else CPU_WATTS
        return (self.fit_seconds * self.fit_ranks * watts + self.cpu_seconds * CPU_WATTS) / 3600

    @property
    def grams(self) -> float:
        return self.watt_hours / 1000 * GRAMS_PER_KWH


def spent_on(done: Mapping[str, Any], *, cpu_seconds: float) -> Spent:
    """From what a fit wrote down when it was done (`done.json`), empty if it is not at hand."""
    return Spent(
        fit_seconds=float(done.get("seconds", 0.0)),
        fit_device=str(done.get("device", "unknown")),
        fit_ranks=int(done.get("ranks", 1)),
        cpu_seconds=cpu_seconds,
    )


def model_card(
    evaluation: Evaluation,
    verdict: Verdict,
    bundle: BundleManifest,
    *,
    recipe: Mapping[str, Any],
    spent: Spent,
) -> str:
    """The card as Markdown."""
    manifest = evaluation.snapshot.manifest
    figures = evaluation.as_dict()["contenders"]["challenger"]["overall"]
    served = figures["served"]
    data = [
        f"- {facts.name} ({facts.source}): "
        + ", ".join(f"{count} {part}" for part, count in facts.counts.items())
        for facts in manifest.repositories
    ]
    lines = [
        "---",
        f"license: {bundle.licence}",
        "library_name: onnxruntime",
        "pipeline_tag: sentence-similarity",
        "---",
        f"# {bundle.name} ({bundle.bundle_id})",
        "",
        "A sentence encoder for issues. Labelwright fits a head per repository on its vectors.",
        "",
        "## Data",
        f"Snapshot `{manifest.id}`, issue text version {manifest.text_version}, "
        f"{manifest.counts.get('text as filed', 0)} of {manifest.counts['issues']} texts as filed.",
        *data,
        "",
        "Known pairs of an issue and a label, the yes and the no, by whose word they rest on: "
        + (", ".join(f"{count} {who}" for who, count in manifest.provenance.items()) or "none")
        + ". Labels that machines set teach nothing.",
        "",
        "## Recipe",
        *([f"- {key}: {value}" for key, value in recipe.items()] or ["Not told."]),
        *[f"- {key}: {value}" for key, value in sorted(bundle.lineage.items())],
        "",
        "## Figures",
        f"On {figures['issues']} issues newer than all it was trained on: micro-F1 "
        f"{_number(figures['micro_f1'])}, macro-F1 {_number(figures['macro_f1'])}, coverage at the "
        f"promised precision {figures['coverage_at_promise']:.3f}; its own cuts applied labels to "
        f"{_number(served['coverage'])} of the issues with precision {_number(served['precision'])} "
        f"(unknown share {_number(served['unknown_share'])}).",
        "",
        *verdict.reasons,
        "",
        "## Limits",
        "- Evaluated on the repositories above alone; on others nothing is known.",
        "- Known pairs only: a label that nobody set or removed is neither right nor wrong.",
        "- Coverage at the promised precision takes a cut that was chosen on the evaluation part, for all "
        "contenders alike: good to compare by, not a promise.",
        f"- Reads the first {bundle.max_tokens} tokens; languages that its base does not know, it does not.",
        "",
        "## Licence",
        f"{bundle.licence} (of the base encoder; issue texts belong to their authors and are not in it).",
        "",
        "## Carbon",
        f"About {spent.watt_hours:.1f} Wh, {spent.grams:.1f} g CO2e: {spent.fit_seconds:.0f} s of fitting on "
        f"{spent.fit_ranks} x {spent.fit_device}, {spent.cpu_seconds:.0f} s of processor time to evaluate; "
        f"assumed are {CPU_WATTS:g} W a core, {GPU_WATTS:g} W a GPU, {GRAMS_PER_KWH:g} g/kWh.",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

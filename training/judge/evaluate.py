"""Champion against challenger against zero-shot, through the serving path itself; beside them the
challenger's supervised twin, where it has one.

Figures of each, and how sure the differences are. Refuses to start unless all bundles can be opened.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bot.classify.bundle import Backend
from training.judge.bootstrap import (
    RESAMPLES,
    Difference,
    compare_coverage,
    compare_macro_f1,
    compare_served,
    resample,
)
from training.judge.gate import Case, Served
from training.judge.judged import Floats, Judged, figures, precision_curve
from training.judge.showing import OnProgress, Showing, open_bundle, show
from training.snapshot.read import Snapshot

Contender = Literal["champion", "challenger", "twin", "zero-shot"]
CONTENDERS: tuple[Contender, ...] = ("champion", "challenger", "zero-shot")
"""Those of every evaluation; the twin, if there is one, stands before the last."""
OWN_CUTS, EQUAL, MACRO = MEASURES = ("coverage, own cuts", "coverage, equal precision", "macro F1")
CURVE_POINTS = 200


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured. `shown`: per contender, per repository."""

    snapshot: Snapshot
    bundles: Mapping[Contender, str]
    """Bundle id of each; the zero-shot one is the champion's."""
    backend: str
    shown: Mapping[Contender, Mapping[str, Showing]]
    coverage: Difference
    """With each one's own cuts."""
    equal: Difference
    """At equal precision: the promised one, by a cut chosen on the evaluation part."""
    macro_f1: Difference
    repositories: Mapping[str, Difference]
    """Coverage of each, with own cuts."""
    over_twin: Mapping[str, Difference]
    """Challenger minus twin, as `MEASURES` names it; empty without one."""
    cpu_seconds: float

    def parts(self, contender: Contender) -> list[Judged]:
        """Of the repositories that have an evaluation part."""
        return [found.judged for found in self.shown[contender].values() if len(found.judged.known)]

    def corrections(self) -> tuple[int, int, int]:
        """Past corrections; those that only the champion honours; those that only the challenger does."""
        before, after = (
            np.concatenate(
                [np.zeros(0, bool), *(x.honoured for x in self.shown[contender].values())]
            )
            for contender in CONTENDERS[:2]
        )
        return len(before), int((before & ~after).sum()), int((after & ~before).sum())

    def case(self, run: str) -> Case:
        """What the gate is shown."""
        parts = {name: found.judged for name, found in self.shown["challenger"].items()}
        parts = {name: part for name, part in parts.items() if len(part.known)}
        facts = {data.name: data.facts for data in self.snapshot.repositories}
        whole = figures(list(parts.values()))
        return Case(
            run=run,
            champion=self.bundles["champion"],
            challenger=self.bundles["challenger"],
            snapshot=self.snapshot.id,
            windows={name: window for name in parts if (window := facts[name].window)},
            known_issues=whole["known_issues"],
            positives=whole["positives"],
            coverage=self.coverage,
            equal=self.equal,
            macro_f1=self.macro_f1,
            repositories=self.repositories,
            issues={name: len(part.known) for name, part in parts.items()},
            served={name: _served(part) for name, part in parts.items()},
            served_before={name: _served(self.shown["champion"][name].judged) for name in parts},
            corrections=self.corrections(),
            over_twin=self.over_twin.get(OWN_CUTS),
            promised=sum(self.shown["challenger"][name].promised for name in parts),
        )

    def as_dict(self) -> dict[str, Any]:
        """Figures as plain data, with the curves that the report draws."""
        return {
            "snapshot": self.snapshot.id,
            "bundles": dict(self.bundles),
            "backend": self.backend,
            "contenders": {name: self._figures(name) for name in self.shown},
            "served_coverage": self.coverage.as_dict(),
            "coverage_at_promise": self.equal.as_dict(),
            "macro_f1": self.macro_f1.as_dict(),
            "repositories": {name: found.as_dict() for name, found in self.repositories.items()},
            "over_twin": {name: found.as_dict() for name, found in self.over_twin.items()},
            "corrections": dict(zip(("n", "lost", "won"), self.corrections(), strict=True)),
            "cpu_seconds": round(self.cpu_seconds, 1),
        }

    def _figures(self, contender: Contender) -> dict[str, Any]:
        parts = self.parts(contender)
        coverage, precision = precision_curve(parts)
        # Evenly by coverage: most cuts lie where everything is covered already.
        kept = np.unique(np.searchsorted(coverage, np.linspace(0, 1, CURVE_POINTS)))
        kept = kept[kept < len(coverage)]
        return {
            "overall": figures(parts),
            "repositories": {
                name: figures([found.judged])
                for name, found in self.shown[contender].items()
                if len(found.judged.known)
            },
            "unseen": sum(found.unseen for found in self.shown[contender].values()),
            "labelled": sum(found.labelled for found in self.shown[contender].values()),
            "curve": [[round(float(coverage[i]), 4), round(float(precision[i]), 4)] for i in kept],
        }


def evaluate(
    snapshot: Snapshot,
    champion: Path,
    challenger: Path,
    *,
    twin: Path | None = None,
    backend: Backend = "int8",
    threads: int = 1,
    resamples: int = RESAMPLES,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure the bundles on the snapshot's evaluation part. `twin`: what the challenger's recipe gives
    without its semi-supervised terms.

    Raises:
        UserError: a bundle is missing, changed, or made for another version of the issue text.
    """
    started = time.process_time()
    asked: dict[Contender, Path] = {"champion": champion, "challenger": challenger}
    if twin is not None:
        asked["twin"] = twin
    shown: dict[Contender, Mapping[str, Showing]] = {}
    by_name: Mapping[str, Showing] = {}
    with ExitStack() as stack:
        # All are opened before any works: a bad bundle is told at once.
        opened = {}
        for name, directory in asked.items():
            opened[name] = open_bundle(directory, backend=backend, threads=threads)
            stack.callback(opened[name].close)
        bundles: dict[Contender, str] = {name: one.bundle_id for name, one in opened.items()}
        for name, encoder in opened.items():
            first = name == "champion"
            found = show(name, snapshot, encoder, zero_shot=first, on_progress=on_progress)
            shown[name] = found[0]
            by_name = found[1] if first else by_name
    shown["zero-shot"], bundles["zero-shot"] = by_name, bundles["champion"]
    return _compare(
        snapshot, shown, bundles, backend=backend, resamples=resamples, seed=seed, started=started
    )


def _compare(
    snapshot: Snapshot,
    shown: Mapping[Contender, Mapping[str, Showing]],
    bundles: Mapping[Contender, str],
    *,
    backend: str,
    resamples: int,
    seed: int,
    started: float,
) -> Evaluation:
    judging = [name for name, found in shown["champion"].items() if len(found.judged.known)]
    parts = {one: [found[name].judged for name in judging] for one, found in shown.items()}
    before, after = parts["champion"], parts["challenger"]
    weights = resample([len(part.known) for part in before], resamples=resamples, seed=seed)
    gains = _differences(before, after, weights)
    return Evaluation(
        snapshot=snapshot,
        bundles=bundles,
        backend=backend,
        shown=shown,
        coverage=gains[OWN_CUTS],
        equal=gains[EQUAL],
        macro_f1=gains[MACRO],
        repositories={
            name: compare_served([one], [other], [drawn])
            for name, one, other, drawn in zip(judging, before, after, weights, strict=True)
        },
        over_twin=_differences(parts["twin"], after, weights) if "twin" in parts else {},
        cpu_seconds=time.process_time() - started,
    )


def _differences(
    before: Sequence[Judged], after: Sequence[Judged], weights: Sequence[Floats]
) -> dict[str, Difference]:
    """By the names in `MEASURES`."""
    measured = (compare_served, compare_coverage, compare_macro_f1)
    return {
        name: compare(before, after, weights)
        for name, compare in zip(MEASURES, measured, strict=True)
    }


def _served(part: Judged) -> Served:
    right, wrong = ((part.applied & (part.known == sign)).sum() for sign in (1, -1))
    return Served(int(right), int(wrong), part.target)

"""Whether a challenger may replace the champion, and why, in sentences. Pure: it reads figures only.

The chance that a champion is ever replaced by a challenger that covers no more is at most `alpha`,
however many try: the k-th try against it gets alpha / (k (k + 1)), which sums to alpha. Refuses to look
twice at an evaluation part, and to decide on too little evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.special import bdtr

from training.judge.case import MORE_UNSEEN, Case, PastRun, Served, Terms, past_run
from training.snapshot.manifest import Window

__all__ = ["Case", "PastRun", "Served", "Terms", "Verdict", "holm", "judge", "past_run", "record"]


USUAL = Terms()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons`: why, first what decided. `alpha`: the level of this try, 0 where none was spent."""

    promote: bool
    reasons: tuple[str, ...]
    alpha: float
    tried: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(case: Case, past: Sequence[PastRun] = (), *, terms: Terms = USUAL) -> Verdict:
    """Promote or keep. `past`: every run that came to the gate before, in any order; this very one, if
    it is judged anew, is no earlier try."""
    earlier = [run for run in past if _named(run) != _named(case)]
    if reason := _not_to_be_tried(case, earlier, terms):
        return Verdict(False, (f"The champion stays: {reason}",), 0.0, tried=False)
    alpha = level_of_try(case.champion, earlier, alpha=terms.alpha)
    objections = [said for ask in _OBJECTIONS if (said := ask(case, terms, alpha))]
    support = _support(case, alpha)
    if objections:
        first, *others = objections
        told = (f"The champion stays: {first}", *(f"Besides, {other}" for other in others))
        return Verdict(False, told, alpha, tried=True)
    return Verdict(True, (f"The challenger is promoted: {support}", *_passed(case)), alpha, True)


def record(case: Case, verdict: Verdict) -> dict[str, Any]:
    """What is kept of a run that came to the gate, as plain data; `past_run` reads it."""
    windows = {
        name: [at.isoformat() if at else None for at in (window.first, window.last)]
        for name, window in case.windows.items()
    }
    return {
        "run": case.run,
        "champion": case.champion,
        "challenger": case.challenger,
        "snapshot": case.snapshot,
        "windows": windows,
        "tried": verdict.tried,
        "promoted": verdict.promote,
        "alpha": verdict.alpha,
        "reasons": list(verdict.reasons),
    }


def level_of_try(champion: str, past: Sequence[PastRun], *, alpha: float) -> float:
    """The level of the next try against this champion."""
    tries = 1 + sum(run.tried and run.champion == champion for run in past)
    return alpha / (tries * (tries + 1))


def holm(p_values: Mapping[str, float], *, alpha: float) -> list[str]:
    """Names whose hypothesis is rejected, all errors together at most `alpha` (Holm 1979)."""
    rejected: list[str] = []
    for name, p in sorted(p_values.items(), key=lambda item: (item[1], item[0])):
        if p > alpha / (len(p_values) - len(rejected)):
            break
        rejected.append(name)
    return rejected


def _named(run: Case | PastRun) -> tuple[str, ...]:
    """The name alone is whatever a person gave."""
    return run.run, run.champion, run.challenger, run.snapshot


def _not_to_be_tried(case: Case, past: Sequence[PastRun], terms: Terms) -> str:
    """Why the challenger is not even tested; "" if it is. Decided by sizes and dates, and by what is older than
    the evaluation part; never by results on it."""
    if case.champion == case.challenger:
        return "the challenger is the champion itself."
    if used := _used(case, past):
        repository, run = used
        return (
            f"the evaluation part of {repository} was used by run {run}, and judges only once. Cut the "
            "next snapshot after it (labelwright-train snapshot --after)."
        )
    if too_few := terms.too_few(case.known_issues, case.positives):
        return too_few
    if not case.promised:
        return (
            "no label of the challenger has a cut that is proved on issues which its encoder did not learn from, "
            f"so it would apply nothing. {MORE_UNSEEN}"
        )
    return ""


def _used(case: Case, past: Sequence[PastRun]) -> tuple[str, str] | None:
    for run in past:
        for name, window in case.windows.items():
            earlier = run.windows.get(name)
            if run.tried and earlier and (run.snapshot == case.snapshot or _meet(window, earlier)):
                return name, run.run
    return None


def _meet(one: Window, other: Window) -> bool:
    """Undated windows are told apart by nothing, so they meet."""
    if one.first is None or one.last is None or other.first is None or other.last is None:
        return True
    return one.first <= other.last and other.first <= one.last


def _support(case: Case, alpha: float) -> str:
    found = case.coverage
    return (
        f"with the cuts that keep the promise it covers {found.challenger:.1%} of the issues, the "
        f"champion {found.champion:.1%}; the difference is surely above {found.lower(alpha):+.1%} "
        f"(one-sided, at level {alpha:.2g})."
    )


def _no_gain(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    found = case.coverage
    if found.lower(alpha) > 0:
        return ""
    return (
        f"with cuts for the promised precision the challenger covers {found.challenger:.1%} of the issues, "
        f"the champion {found.champion:.1%}; the difference may be as low as {found.lower(alpha):+.1%} "
        f"(one-sided, at level {alpha:.2g}), and it must be surely above 0."
    )


def _broken_promise(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    """Cuts are proved on what is older; by a bundle that does not tell what it learned from, even on that."""
    broken = {
        name: float(bdtr(x.right, x.right + x.wrong, x.target))
        for name, x in case.served.items()
        if x.right + x.wrong
    }
    for name in holm(broken, alpha=terms.alpha):
        x = case.served[name]
        share = x.right / (x.right + x.wrong)
        return (
            f"with the challenger's own cuts {share:.1%} of {x.right + x.wrong} applied labels were right "
            f"in {name}, surely less than the promised {x.target:.0%}."
        )
    return ""


def _below_promise(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    """All repositories together: doubt speaks for the champion, unless its own cuts do no better."""
    margin = sum(x.right - x.target * (x.right + x.wrong) for x in case.served.values())
    after, before = _precision(case.served), _precision(case.served_before)
    if margin >= 0 or after is None or (before is not None and after >= before):
        return ""
    return (
        f"with the challenger's own cuts {after:.1%} of the applied labels were right, less than was "
        f"promised and than the champion's {'-' if before is None else f'{before:.1%}'}."
    )


def _lax(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    found = case.equal
    if found.value >= 0:
        return ""
    return (
        f"at equal precision it covers {found.challenger:.1%} of the issues, the champion "
        f"{found.champion:.1%}: what it gains it gains by laxer cuts."
    )


def _precision(served: Mapping[str, Served]) -> float | None:
    right, wrong = sum(x.right for x in served.values()), sum(x.wrong for x in served.values())
    return right / (right + wrong) if right + wrong else None


def _worse_macro(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    found = case.macro_f1
    if found.value >= -terms.macro_margin:
        return ""
    return (
        f"macro-F1 fell from {found.champion:.3f} to {found.challenger:.3f}, by more than "
        f"{terms.macro_margin:.2f}: rare labels pay."
    )


def _regressed(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    tested = {
        name: found.p_worse
        for name, found in case.repositories.items()
        if case.issues[name] >= terms.least_of_repository
    }
    worse = holm(tested, alpha=terms.alpha)
    if not worse:
        return ""
    told = "; ".join(
        f"{name} falls from {case.repositories[name].champion:.1%} to "
        f"{case.repositories[name].challenger:.1%}"
        for name in worse
    )
    return f"coverage surely gets worse (Holm, {len(tested)} tested): {told}."


def _forgotten(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    total, lost, won = case.corrections
    if lost <= won:
        return ""
    return (
        f"of {total} past corrections the challenger forgets {lost} that the champion honours, and "
        f"honours only {won} that the champion does not."
    )


def _needless(case: Case, terms: Terms, alpha: float) -> str:  # noqa: ARG001
    """Semi-supervision can collapse and costs time: it serves only where it wins."""
    found = case.over_twin
    if found is None or found.value > 0:
        return ""
    return (
        f"its supervised twin, the same recipe without the semi-supervised terms, covers {found.champion:.1%} "
        f"of the issues, it itself {found.challenger:.1%}: fit the recipe without its terms."
    )


def _passed(case: Case) -> tuple[str, ...]:
    total, lost, won = case.corrections
    found = case.macro_f1
    return (
        f"Macro-F1 goes from {found.champion:.3f} to {found.challenger:.3f}; no repository gets surely "
        "worse, and the challenger's own cuts keep the promise.",
        f"Of {total} past corrections it honours {won} more and forgets {lost}.",
    )


_OBJECTIONS: tuple[Callable[[Case, Terms, float], str], ...] = (
    _no_gain,
    _broken_promise,
    _below_promise,
    _lax,
    _worse_macro,
    _regressed,
    _forgotten,
    _needless,
)

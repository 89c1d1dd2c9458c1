"""The report of an evaluation: HTML that stands alone, Markdown with its plots beside it, model card, data.

Written whole or not at all. Every text from outside is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from bot.classify.bundle import MANIFEST, file_sha256, publishing
from bot.errors import UserError
from training.judge.evaluate import EQUAL, MACRO, OWN_CUTS, Evaluation
from training.judge.gate import Case, Verdict, record
from training.judge.plots import calibration_plot, curve_plot, difference_plot

COLUMNS = (
    "micro F1",
    "macro F1",
    "coverage at promise",
    "precision at coverage .25 / .5 / .75",
    "served coverage",
    "served precision",
    "unknown share",
    "calibration error",
)
LEGEND = (
    "F1: labels with a calibrated probability of .5 or more, on known pairs; macro is the mean over labels that "
    "somebody set, then over repositories.",
    "Coverage at promise: issues with a label above the cut at which precision is the promised one. The cut is "
    "chosen on these very issues, for all alike: to compare by at equal precision, not a promise.",
    "Served: what the cuts that each head chose on its past would have applied to these issues. "
    "Unknown: the share of it that nobody settled; precision leaves it out.",
    "Coverage, own cuts: the same, as the mean over cuts from redraws of that past, for which cut just passes its "
    "test is chance; the gate goes by that.",
    "Calibration error: mean gap between the probability that was said and the share that was right.",
    "Differences: of a repository, in its coverage with own cuts. Intervals: paired bootstrap over issues, stratified "
    "by repository; of own cuts, over the past that chose them as well.",
)
STYLE = (
    "body{font-family:sans-serif;max-width:68em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .7em;text-align:right;"
    "border-bottom:1px solid #ddd}td{white-space:nowrap}td:first-child,th:first-child{text-align:left}"
    ".verdict{padding:.8em 1em;background:#f4f4f4;border-left:4px solid #555}svg{margin:.5em 0}"
)

Row = tuple[str, ...]


def write_report(
    out: Path, evaluation: Evaluation, case: Case, verdict: Verdict, *, card: str
) -> None:
    """`report.html`, `report.md` with `plots/`, `model-card.md`, `evaluation.json`, `verdict.json`.

    Raises:
        UserError: `out` cannot be written, or holds something else.
    """
    found = evaluation.as_dict() | {"windows": record(case, verdict)["windows"]}
    plots = draw(found, target=_target(evaluation))
    try:
        with publishing(out, what="an evaluation") as directory:
            (directory / "plots").mkdir()
            for name, svg in plots.items():
                (directory / "plots" / f"{name}.svg").write_text(svg, encoding="utf-8")
            texts = {
                "report.md": markdown(found, verdict, list(plots)),
                "report.html": html(found, verdict, plots),
                "model-card.md": card,
                "evaluation.json": json.dumps(found, indent=1) + "\n",
                "verdict.json": json.dumps(record(case, verdict), indent=1) + "\n",
            }
            for name, text in texts.items():
                (directory / name).write_text(text, encoding="utf-8")
            _write_manifest(directory)
    except OSError as error:
        raise UserError(
            f"Cannot write an evaluation to {out}: {error.strerror}; nothing was left there. "
            "Make room, or choose another directory."
        ) from None


def draw(found: Mapping[str, Any], *, target: float) -> dict[str, str]:
    """The plots, by name."""
    contenders = found["contenders"]
    return {
        "precision": curve_plot(
            {name: [(x, y) for x, y in told["curve"]] for name, told in contenders.items()},
            target=target,
        ),
        "calibration": calibration_plot(
            {name: told["overall"]["calibration"] for name, told in contenders.items()}
        ),
        "differences": difference_plot(
            {
                name: (row["interval"][0], row["difference"], row["interval"][1])
                for name, row in _all_differences(found).items()
            }
        ),
    }


def markdown(found: Mapping[str, Any], verdict: Verdict, plots: Sequence[str]) -> str:
    lines = [f"# Evaluation on snapshot {found['snapshot']}", "", *_apart(verdict.reasons)]
    lines += _apart(_told(found))
    for title, rows in _tables(found):
        lines += [f"## {_cell(title)}", "", *_markdown_table(rows), ""]
    lines += ["## How to read it", "", *(f"- {line}" for line in LEGEND), ""]
    lines += [f"![{name}](plots/{name}.svg)" for name in plots]
    return "\n".join(lines) + "\n"


def _apart(sentences: Sequence[str]) -> list[str]:
    """Each a paragraph of its own."""
    return [line for sentence in sentences for line in (sentence, "")]


def html(found: Mapping[str, Any], verdict: Verdict, plots: Mapping[str, str]) -> str:
    def paragraphs(sentences: Sequence[str]) -> str:
        return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)

    tables = "".join(
        f"<h2>{escape(title)}</h2>{_html_table(rows)}" for title, rows in _tables(found)
    )
    title = escape(f"Evaluation on snapshot {found['snapshot']}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>"
        f'<div class="verdict">{paragraphs(verdict.reasons)}</div>{paragraphs(_told(found))}\n'
        f"{''.join(plots.values())}{tables}<h2>How to read it</h2>{paragraphs(LEGEND)}</body></html>\n"
    )


def _told(found: Mapping[str, Any]) -> list[str]:
    corrections, bundles = found["corrections"], found["bundles"]
    remembered = (
        f"Of {corrections['n']} past corrections the challenger forgets {corrections['lost']} that the "
        f"champion honours, and honours {corrections['won']} that the champion does not."
        if corrections["n"]
        else "This snapshot holds no past corrections, so none could be forgotten."
    )
    told = [
        f"Champion {bundles['champion']}, challenger {bundles['challenger']}, {found['backend']} vectors. "
        f"{remembered}"
    ]
    told += _learned(found["contenders"])
    if "twin" in bundles:
        gain = found["over_twin"][OWN_CUTS]
        low, high = gain["interval"]
        told.append(
            f"Its supervised twin, the same recipe without the semi-supervised terms, is {bundles['twin']}: "
            f"the terms bring {gain['difference']:+.3f} of coverage (95%: {low:+.3f} to {high:+.3f})."
        )
    return told


def _learned(contenders: Mapping[str, Any]) -> list[str]:
    """Of each contender whose encoder learned from issues that would else choose its cuts."""
    return [
        f"The {name}'s encoder learned from {one['labelled'] - one['unseen']} of the {one['labelled']} labelled "
        f"issues before the evaluation part; the other {one['unseen']} chose weights and cuts of its heads."
        for name, one in contenders.items()
        if one["unseen"] < one["labelled"]
    ]


def _tables(found: Mapping[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    contenders = found["contenders"]
    yield "All repositories", _rows({name: one["overall"] for name, one in contenders.items()})
    yield "Challenger minus champion", _difference_rows("champion", _all_differences(found))
    if found["over_twin"]:
        yield "Challenger minus its supervised twin", _difference_rows("twin", found["over_twin"])
    yield "The issues that judge", _issue_rows(found)
    for name in found["repositories"]:
        yield name, _rows({c: one["repositories"][name] for c, one in contenders.items()})


def _all_differences(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Of all repositories together, then the coverage of each."""
    return {
        OWN_CUTS: found["served_coverage"],
        EQUAL: found["coverage_at_promise"],
        MACRO: found["macro_f1"],
        **found["repositories"],
    }


def _difference_rows(against: str, rows: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    head = ("", against, "challenger", "difference", "95%")
    return [head, *(_difference(name, row) for name, row in rows.items())]


def _issue_rows(found: Mapping[str, Any]) -> list[Row]:
    """How much evidence each repository gives, and from when."""
    rows: list[Row] = [("", "issues", "with a known label", "labels set", "filed")]
    for name, one in found["contenders"]["champion"]["repositories"].items():
        counts = (str(one[key]) for key in ("issues", "known_issues", "positives"))
        rows.append((name, *counts, _days(found["windows"].get(name, ()))))
    return rows


def _days(window: Sequence[str | None]) -> str:
    days = [at[:10] for at in window if at]
    return " to ".join(days) or "undated, newest by order"


def _rows(figures: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    rows: list[Row] = [("", *COLUMNS)]
    for name, found in figures.items():
        cells = (
            found["micro_f1"],
            found["macro_f1"],
            found["coverage_at_promise"],
            *found["precision_at_coverage"].values(),
            *(found["served"][key] for key in ("coverage", "precision", "unknown_share")),
            found["calibration_error"],
        )
        told = ["-" if cell is None else f"{cell:.3f}" for cell in cells]
        rows.append((name, *told[:3], " / ".join(told[3:-4]), *told[-4:]))
    return rows


def _difference(name: str, row: Mapping[str, Any]) -> Row:
    low, high = row["interval"]
    figures = (f"{row['champion']:.3f}", f"{row['challenger']:.3f}", f"{row['difference']:+.3f}")
    return (name, *figures, f"{low:+.3f} to {high:+.3f}")


def _markdown_table(rows: Sequence[Row]) -> list[str]:
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return [lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]


def _html_table(rows: Sequence[Row]) -> str:
    head, *body = (
        "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)
        for tag, row in (("th" if not place else "td", row) for place, row in enumerate(rows))
    )
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in body)}</table>\n"


def _cell(text: str) -> str:
    return escape(text).replace("|", "\\|").replace("\n", " ")


def _target(evaluation: Evaluation) -> float:
    """The promise that the plots show: the strictest."""
    targets = [data.facts.target for data in evaluation.snapshot.repositories]
    return max(targets, default=0.9)


def _write_manifest(directory: Path) -> None:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    hashes = {path.relative_to(directory).as_posix(): file_sha256(path) for path in files}
    (directory / MANIFEST).write_text(json.dumps({"files": hashes}, indent=1) + "\n")

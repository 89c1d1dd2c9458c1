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
from training.judge.evaluate import CONTENDERS, Evaluation
from training.judge.gate import Case, Verdict, record
from training.judge.plots import calibration_plot, curve_plot, difference_plot

COLUMNS = (
    "micro F1",
    "macro F1",
    "coverage at promise",
    "precision at .5 coverage",
    "served coverage",
    "served precision",
    "calibration error",
)
STYLE = (
    "body{font-family:sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .7em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
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
    found = evaluation.as_dict()
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
    rows = {
        "all": found["served_coverage"],
        "all, at equal precision": found["coverage_at_promise"],
        **found["repositories"],
    }
    return {
        "precision": curve_plot(
            {name: [(x, y) for x, y in contenders[name]["curve"]] for name in CONTENDERS},
            target=target,
        ),
        "calibration": calibration_plot(
            {name: contenders[name]["overall"]["calibration"] for name in CONTENDERS}
        ),
        "differences": difference_plot(
            {
                name: (row["interval"][0], row["difference"], row["interval"][1])
                for name, row in rows.items()
            }
        ),
    }


def markdown(found: Mapping[str, Any], verdict: Verdict, plots: Sequence[str]) -> str:
    lines = [f"# Evaluation on snapshot {found['snapshot']}", "", *verdict.reasons, ""]
    lines += [f"{_told(found)}", ""]
    for title, rows in _tables(found):
        lines += [f"## {_cell(title)}", "", *_markdown_table(rows), ""]
    lines += [f"![{name}](plots/{name}.svg)" for name in plots]
    return "\n".join(lines) + "\n"


def html(found: Mapping[str, Any], verdict: Verdict, plots: Mapping[str, str]) -> str:
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in verdict.reasons)
    tables = "".join(
        f"<h2>{escape(title)}</h2>{_html_table(rows)}" for title, rows in _tables(found)
    )
    title = escape(f"Evaluation on snapshot {found['snapshot']}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>"
        f'<div class="verdict">{reasons}</div><p>{escape(_told(found))}</p>\n'
        f"{tables}{''.join(plots.values())}</body></html>\n"
    )


def _told(found: Mapping[str, Any]) -> str:
    corrections, bundles = found["corrections"], found["bundles"]
    low, high = found["macro_f1"]["interval"]
    return (
        f"Champion {bundles['champion']}, challenger {bundles['challenger']}, {found['backend']} vectors. "
        f"Macro-F1 differs by {found['macro_f1']['difference']:+.3f} (95%: {low:+.3f} to {high:+.3f}). "
        f"Of {corrections['n']} past corrections the challenger forgets {corrections['lost']} and wins "
        f"{corrections['won']}. Intervals: paired bootstrap over issues, stratified by repository."
    )


def _tables(found: Mapping[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    contenders = found["contenders"]
    yield "All repositories", _rows({name: contenders[name]["overall"] for name in CONTENDERS})
    yield (
        "Coverage with own cuts, and at equal precision",
        [
            ("", "champion", "challenger", "difference", "95%"),
            *(
                _difference(name, row)
                for name, row in (
                    ("all", found["served_coverage"]),
                    ("all, at equal precision", found["coverage_at_promise"]),
                    *found["repositories"].items(),
                )
            ),
        ],
    )
    for name in found["repositories"]:
        yield name, _rows({c: contenders[c]["repositories"][name] for c in CONTENDERS})


def _rows(figures: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    rows: list[Row] = [("", *COLUMNS)]
    for name, found in figures.items():
        cells = (
            found["micro_f1"],
            found["macro_f1"],
            found["coverage_at_promise"],
            found["precision_at_coverage"]["0.5"],
            found["served"]["coverage"],
            found["served"]["precision"],
            found["calibration_error"],
        )
        rows.append((name, *("-" if cell is None else f"{cell:.3f}" for cell in cells)))
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

"""The report as one HTML file: no server, no script, nothing fetched from anywhere.

Titles and labels were written by strangers: everything goes through `bot.preview.html`.
"""

from __future__ import annotations

from importlib.resources import files

from bot.preview.html import Html, join, link, tag
from bot.preview.plots import curve_chart, time_chart
from bot.preview.report import LastIssue, Report
from bot.preview.tables import (
    Row,
    count,
    labels_table,
    measures_table,
    percent,
    suspects_table,
    table,
)

NOTHING_FETCHED = "default-src 'none'; style-src 'unsafe-inline'"


def render(report: Report) -> str:
    """The whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=NOTHING_FETCHED),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"Labelwright preview: {report.repository}"),
        tag("style", Html(files("bot.preview").joinpath("style.css").read_text(encoding="utf-8"))),
    )
    main = tag("main", *(section(report) for section in _SECTIONS))
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n"


def _summary(report: Report) -> Html:
    found, sources = report.promise.measure, report.sources
    when = (
        f"{report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}" if report.first and report.last else ""
    )
    head = join(
        tag("h1", f"What Labelwright would have done in {report.repository}"),
        tag("p", f"{count(sources.issues, 'issue')}{', ' + when if when else ''}.", class_="dim"),
        *(tag("p", note, class_="note") for note in report.notes),
    )
    if not found.issues:
        return head
    tiles = [
        ("precision", percent(found.precision), f"promised {report.promise.target:.0%}"),
        ("worst case", percent(found.worst_case), "if all that nobody settled were wrong"),
        ("coverage", percent(found.coverage), "of the issues get a label"),
        ("label recall", percent(found.label_recall), "of the labels that people set"),
        ("unknown", percent(found.unknown_share), "of the labels it would apply"),
    ]
    items = [
        tag("li", name, tag("strong", value), tag("span", said, class_="dim"))
        for name, value, said in tiles
    ]
    return join(head, tag("ul", *items, class_="tiles"), tag("p", _verdict(report)))


def _verdict(report: Report) -> str:
    found = report.promise.measure
    share = f"Over the newest {count(found.issues, 'issue')}"
    if not found.applied:
        return f"{share}, it would have applied nothing: see below which labels are muted, and why."
    kept = "the promise held" if report.promise.holds else "the promise did not hold"
    return (
        f"{share}, it would have applied {count(found.applied, 'label')}: {found.right} right, "
        f"{found.wrong} wrong, {found.unknown} on which nobody took a stand; {kept} "
        f"(so many wrong ones have a chance of {report.promise.p_broken:.2f} if it is true)."
    )


def _how(report: Report) -> Html:
    return join(
        tag("h2", "How this was made"),
        tag(
            "p",
            "Every issue was decided by a head learned from earlier issues and the labels known at that "
            f"moment ({count(report.refits, 'refit')} in {report.refit_seconds:.0f} s; {report.decided} of "
            f"{count(report.sources.issues, 'issue')} decided, those before taught the first head). The "
            "figures above are of the newest 30%. Precision counts the labels on which people took a "
            "stand. What an author's standing in the project was, and how labels were described, is "
            "today's: nobody keeps what it was.",
        ),
        tag("p", _label_times(report)),
    )


def _label_times(report: Report) -> str:
    sources = report.sources
    if not sources.labels:
        return "No issue carries a label, so there was nothing to learn from and nothing to compare with."
    timed = sources.labels_with_time
    rest = sources.labels - timed
    said = f"Of {count(sources.labels, 'label')} on these issues, {timed} come with the time when they were set."
    if rest:
        said += (
            f" The other {rest} were taken as known once the settling days after filing had passed."
        )
    return said


def _promises(report: Report) -> Html:
    rows = [(f"{kept.target:.0%}", kept.measure) for kept in report.targets]
    fits = (
        f"{report.fitting:.0%} is the highest that held and still covers enough issues; chosen on these "
        "issues, it looks a little better than it is."
        if report.fitting
        else "None of them both held and covered enough issues; start with suggestions."
    )
    whole = [("newest 30%", report.promise.measure), ("the whole replay", report.whole.measure)]
    return join(
        tag("h2", "What each promise would have brought"),
        tag("p", fits),
        measures_table("Newest 30% of the issues", "promised precision", rows),
        measures_table(f"At {report.promise.target:.0%}", "issues", whole),
    )


def _curves(report: Report) -> Html:
    return join(
        tag("h2", "Precision against coverage"),
        curve_chart(report),
        tag("h2", "Over time"),
        time_chart(report),
    )


def _texts(report: Report) -> Html:
    sources = report.sources
    total = max(1, sources.issues)
    said = (
        f"{sources.as_filed / total:.0%} of the issues are certainly as filed, "
        f"{sources.perhaps_edited / total:.0%} may have been edited since, of "
        f"{sources.as_filed_unknown / total:.0%} the source does not say. Text that was edited may hold "
        "what its author learned later: the first line below is the safest claim."
    )
    return join(
        tag("h2", "How much rests on text that is not as filed"),
        tag("p", said),
        measures_table("Newest 30% by text", "text", list(report.by_text.items())),
    )


def _labels(report: Report) -> Html:
    told = [r for r in report.labels if r.measure.positives or r.measure.applied or r.suggested]
    silent = len(report.labels) - len(told)
    said = f"{count(silent, 'more label')} met none of these issues." if silent else ""
    return join(tag("h2", "Label by label"), labels_table(told), tag("p", said, class_="dim"))


def _muted(report: Report) -> Html:
    title = tag("h2", "Muted labels: only suggested, and why")
    if not report.muted:
        return join(title, tag("p", "None."))
    rows: list[Row] = [(label, why) for label, why in sorted(report.muted.items())]
    return join(title, table("If it started today", ("label", "why"), rows))


def _last(report: Report) -> Html:
    rows: list[Row] = [
        (
            link(_name(issue), issue.link),
            join(*(_chip(label, verdict) for label, verdict in issue.applied.items())) or "",
            ", ".join(issue.suggested),
            ", ".join(issue.humans),
        )
        for issue in report.last_issues
    ]
    columns = ("issue", "would have applied", "would have suggested", "labels it has now")
    return join(
        tag("h2", f"The last {count(len(rows), 'issue')}"),
        table("Newest first", columns, rows),
    )


def _name(issue: LastIssue) -> str:
    edited = " (text may be edited)" if issue.as_filed is False else ""
    return f"#{issue.number} {issue.title}{edited}" if issue.number else f"{issue.title}{edited}"


def _chip(label: str, verdict: str) -> Html:
    return tag("span", f"{label}: ", tag("span", verdict, class_=verdict), class_="label")


def _suspects(report: Report) -> Html:
    title = tag("h2", "Labels of the past that look wrong")
    if not report.suspects:
        return join(title, tag("p", "None stands out."))
    said = (
        "Most suspicious issues first (cleanlab's ranking for several labels an issue, over forward scores). "
        "Worth a look; the bot changes none of them."
    )
    return join(title, tag("p", said), suspects_table(report.suspects))


def _rules(report: Report) -> Html:
    return join(
        tag("h2", "A rules file to start with"),
        tag("p", "Commit it as .github/labelwright.yml on the default branch."),
        tag("pre", tag("code", report.rules)),
    )


_SECTIONS = (
    _summary, _promises, _curves, _labels, _muted, _last, _texts, _suspects, _rules, _how,
)  # fmt: skip

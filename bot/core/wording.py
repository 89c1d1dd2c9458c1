"""What we say in comments: short, in Markdown, about labels and never about texts. Pure.

Refuses to call anybody by `@`, and to let a label's name be more than a name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.core.types import Action

REFUSAL = "Sorry, commands are for people with triage permission or more on this repository. Nothing was done."

HELP = """Commands, each on a line of its own:
- `/label a, b` sets labels, `/unlabel a` takes them off
- `/why` explains what was decided here, `/relabel` decides again
- `/labelwright pause`, `/labelwright resume`, `/labelwright status`"""

PAUSED = "Labelwright is paused here; `/labelwright resume` ends that. Nothing was done."
UNDECIDED = "Nothing was decided on this issue yet. `/relabel` decides now."

NONE_OF_THESE = "none of these"

RULES_MENDED = "The rules in `.github/labelwright.yml` can be read again and are in force."

_MARKUP = re.compile(r"([\\`*_\[\]|~])")
_DONE: dict[Action, str] = {"apply": "set", "suggest": "suggested", "abstain": "not set"}


@dataclass(frozen=True, slots=True)
class Reason:
    """A stored decision on one label, and what became of it."""

    label: str
    action: Action
    reason: str
    probability: float
    threshold: float | None
    happened: str = ""
    """Why what was decided was not done; "" where it was, or nothing was to do."""
    words: tuple[str, ...] = ()
    like: tuple[int, ...] = ()
    """Numbers of the nearest issues that people gave this label."""
    by: str = ""
    """When and by what it was decided, as `decided` says it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a repository stands with us."""

    status: str
    mode: str
    precision: float
    head: int | None
    bundle: str
    labels: int
    rules_error: str | None


def code(name: str) -> str:
    """A name as a code span, whatever it holds: it calls nobody and links nothing."""
    longest = max((len(run) for run in re.findall(r"`+", name)), default=0)
    fence = "`" * (longest + 1)
    inner = f" {name} " if name.startswith("`") or name.endswith("`") else name
    return f"{fence}{inner}{fence}"


def plain(text: str) -> str:
    """Text of ours that may hold names: no markup, no mention, no HTML."""
    escaped = _MARKUP.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace("@", "@\u200b")


def reply(said: Sequence[str], *, asker: str, url: str) -> str:
    """The answers to one comment."""
    who = code(asker)
    head = f"To [what {who} asked]({url}):" if url.startswith("http") else f"To {who}:"
    return "\n\n".join([head, *said])


def no_such_labels(unknown: Iterable[tuple[str, Sequence[str]]]) -> str:
    """`unknown`: (name as asked for, the names nearest to it)."""
    lines = []
    for name, near in unknown:
        hint = f" Did you mean {_listed(near)}?" if near else ""
        lines.append(f"There is no label {code(name)} here.{hint}")
    return " ".join([*lines, "Nothing was done."])


def not_done(skipped: Iterable[tuple[str, str]]) -> str:
    """`skipped`: (label, why)."""
    return "\n".join(f"- {code(label)}: {plain(why)}" for label, why in skipped)


def status(standing: Standing) -> str:
    head = f"head v{standing.head} of {code(standing.bundle)}" if standing.head else "no head yet"
    lines = [
        f"Labelwright is **{standing.status}** here: mode {code(standing.mode)}, {head}, "
        f"{standing.labels} labels known, precision asked for {standing.precision:.2f}."
    ]
    if standing.rules_error:
        lines.append(
            f"The rules cannot be used: {plain(standing.rules_error)}. The last good ones hold."
        )
    return "\n".join(lines)


def decided(at: datetime, *, head: int | None, bundle: str) -> str:
    version = f"head v{head}" if head is not None else "a head that is gone"
    return f"Decided {at:%Y-%m-%d %H:%M} UTC by {version} of {code(bundle)}"


def why(reasons: Sequence[Reason], *, by: str) -> str:
    """The stored decisions on one issue, those with an effect first. `by`: what decided last."""
    return "\n".join([f"{by}:", "", *(f"- {_reason(one, by=by)}" for one in reasons)])


def _reason(one: Reason, *, by: str) -> str:
    cut = f"{one.threshold:.2f}" if one.threshold is not None else "none"
    said = "not done" if one.happened and one.action != "abstain" else _DONE[one.action]
    parts = [
        f"{code(one.label)} **{said}**: score {one.probability:.2f}, cut {cut}; {plain(one.reason)}."
    ]
    if one.happened:
        parts.append(f"On writing: {plain(one.happened)}.")
    if one.words:
        parts.append(f"Words: {', '.join(map(code, one.words))}.")
    if one.like:
        parts.append(f"Like {', '.join(f'#{number}' for number in one.like)}.")
    if one.by != by:
        parts.append(f"{one.by}.")
    return " ".join(parts)


def suggestion_comment(rows: Sequence[tuple[str, str]], *, ticked: Collection[str] = ()) -> str:
    """One box per suggested label; `rows`: (label, why), `ticked`: those that were approved."""
    lines = [
        f"- [{'x' if label in ticked else ' '}] {code(label)}: {plain(why)}" for label, why in rows
    ]
    lines.append(f"- [ ] {NONE_OF_THESE}")
    intro = "Labelwright is not sure. Tick what fits (for people with triage permission):"
    return "\n".join([intro, "", *lines])


def ticked_boxes(
    body: str, labels: Iterable[str], *, former: Mapping[str, str] = MappingProxyType({})
) -> tuple[list[str], bool]:
    """(those of `labels` whose box is ticked, whether "none of these" is). `former`: names that labels had
    when the comment was written -> their names now."""
    ticked = [line[5:].strip() for line in body.splitlines() if line[:6].lower() == "- [x] "]
    names = {
        label: (code(label), *(code(old) for old, now in former.items() if now == label))
        for label in labels
    }
    chosen = [label for label, told in names.items() if any(one.startswith(told) for one in ticked)]
    return chosen, NONE_OF_THESE in ticked


def rules_broken(error: str) -> str:
    return (
        f"The rules in `.github/labelwright.yml` cannot be used: {plain(error)}. "
        "Until that is mended the last good ones hold. (Said once, here; nothing is wrong with this issue.)"
    )


def _listed(names: Sequence[str]) -> str:
    spelled = [code(name) for name in names]
    return spelled[0] if len(spelled) == 1 else f"{', '.join(spelled[:-1])} or {spelled[-1]}"

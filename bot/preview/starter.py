"""A rules file to start with: the promise that fits, and what would be muted, as comments.

Names of labels go into comments only, stripped of whatever could end one.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.preview.targets import STANDARD

HEADER = """\
# .github/labelwright.yml
# Drawn up by `labelwright preview` from the history of this repository.
# Every key: docs/rules.md of Labelwright.
"""
WIDTH = 160


def starter_rules(
    full_name: str, *, target: float | None, muted: Mapping[str, str], reason: str
) -> str:
    """YAML that `parse_rules` reads. `target` None: nothing may be applied yet, so it only suggests."""
    mode = "apply" if target is not None else "suggest"
    lines = [
        HEADER + f"# Repository: {_plain(full_name)}",
        f"# {_plain(reason)}",
        "",
        f"mode: {mode}             # dry-run: decide and record, write nothing; suggest: only suggest",
        f"precision: {target or STANDARD:g}",
    ]
    if muted:
        lines += ["", "# Only suggested for now, until there is enough proof:"]
        lines += [f"#   {_plain(label)}: {_plain(why)}" for label, why in sorted(muted.items())]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """One line of printable characters: a line break in a label's name would end the comment."""
    return "".join(c if c.isprintable() else "?" for c in text)[:WIDTH]

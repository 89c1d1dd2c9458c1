"""HTML that cannot be broken into: whatever is not `Html` already is escaped on its way in."""

from __future__ import annotations

from html import escape
from typing import Final

VOID: Final = frozenset({"meta", "br", "line", "circle", "rect", "path", "polyline"})
"""Elements that we write without content."""


class Html(str):
    """Markup that is safe as it stands. Made by `tag` and `join`; wrap literals only."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element. Attribute names lose a trailing underscore, and other underscores become dashes;
    None leaves one out."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID and not content:
        return Html(f"<{name}{told}/>")
    return Html(f"<{name}{told}>{join(*content)}</{name}>")


def join(*content: object) -> Html:
    """Several pieces after one another."""
    return Html("".join(str(c) if isinstance(c, Html) else escape(str(c)) for c in content))


def link(text: object, address: str) -> Html:
    """A link; the bare text where there is no web address."""
    if not address.startswith(("https://", "http://")):
        return join(text)
    return tag("a", text, href=address, rel="noreferrer noopener")

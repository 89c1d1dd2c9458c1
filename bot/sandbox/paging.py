"""Pages and Link headers: by number for small lists, by cursor for issues and deliveries."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from bot.sandbox.answers import refusal

T = TypeVar("T")
Links = dict[str, str]
Rank = tuple[int, int]
"""What a list is ordered by, and the id that breaks ties."""
DEEPEST_PAGE = 1000
"""Items that `page=` may skip on a list of issues; beyond, GitHub wants cursors."""


def per_page(query: Mapping[str, str]) -> int:
    return max(1, min(100, _whole(query, "per_page", default=30)))


def _whole(query: Mapping[str, str], name: str, *, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise refusal(422, f"Invalid value for parameter {name}.") from None


def numbered(items: Sequence[T], query: Mapping[str, str], *, url: str) -> tuple[list[T], Links]:
    """One page by number, and its headers."""
    size = per_page(query)
    page = max(1, _whole(query, "page", default=1))
    last = max(1, -(-len(items) // size))
    chosen = list(items[(page - 1) * size : page * size])
    targets: dict[str, int] = {}
    if page > 1:
        targets |= {"prev": page - 1, "first": 1}
    if page < last:
        targets |= {"next": page + 1, "last": last}
    return chosen, _link(url, query, {name: {"page": str(n)} for name, n in targets.items()})


def by_cursor(
    items: Sequence[T],
    query: Mapping[str, str],
    *,
    url: str,
    rank: Callable[[T], Rank],
    descending: bool,
    name: str = "after",
) -> tuple[list[T], Links]:
    """One page behind the cursor; `page=` works for the first thousand only.

    The cursor names a place in the order, not an item, so that it outlives the item.
    """
    size = per_page(query)
    page = max(1, _whole(query, "page", default=1))
    if name in query:
        place = _place(query[name])
        start = _behind(items, place, rank=rank, descending=descending)
    else:
        start = (page - 1) * size
        _refuse_depth(start)
    chosen = list(items[start : start + size])
    if not chosen or start + size >= len(items):
        return chosen, {}
    onward = {name: _cursor(rank(chosen[-1]))}
    if name == "after":
        onward["page"] = str(page + 1)
    return chosen, _link(url, query, {"next": onward})


def _refuse_depth(start: int) -> None:
    if start > DEEPEST_PAGE:
        raise refusal(
            422,
            "Pagination with the page parameter is not supported for large datasets, please use "
            "cursor based pagination (after/before)",
        )


def _behind(items: Sequence[T], place: Rank, *, rank: Callable[[T], Rank], descending: bool) -> int:
    """How many items stand at the place or before it."""
    if descending:
        return bisect_right(items, _negative(place), key=lambda item: _negative(rank(item)))
    return bisect_right(items, place, key=rank)


def _negative(rank: Rank) -> Rank:
    return -rank[0], -rank[1]


def _cursor(rank: Rank) -> str:
    return base64.urlsafe_b64encode(f"{rank[0]}|{rank[1]}".encode()).decode().rstrip("=")


def _place(cursor: str) -> Rank:
    try:
        decoded = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        first, _, id_ = decoded.partition("|")
        return int(first), int(id_)
    except ValueError:
        raise refusal(400, "Invalid cursor") from None


def _link(url: str, query: Mapping[str, str], targets: Mapping[str, Mapping[str, str]]) -> Links:
    if not targets:
        return {}
    kept = {name: value for name, value in query.items() if name not in ("page", "after", "cursor")}
    parts = [f'<{url}?{urlencode({**kept, **more})}>; rel="{rel}"' for rel, more in targets.items()]
    return {"Link": ", ".join(parts)}

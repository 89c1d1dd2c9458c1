"""One file of the repository's default branch, asked for again by ETag: an unchanged file is free."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from urllib.parse import quote

from bot.errors import UserError
from bot.github.addresses import in_repository
from bot.github.payloads import may, storable
from bot.github.reads import Reader


@dataclass(frozen=True, slots=True)
class Contents:
    """A text file and the tag to ask for it again."""

    text: str = field(repr=False)
    etag: str | None


@dataclass(frozen=True, slots=True)
class NotModified:
    """The file is what it was at that ETag."""

    etag: str


def read_contents(
    reader: Reader, full_name: str, path: str, *, etag: str | None = None
) -> Contents | NotModified | None:
    """The file, or NotModified, or None where there is none.

    Raises:
        PermissionMissing: the installation did not grant `contents: read`.
        UserError: there is something at that path, but no UTF-8 text file below 1 MB.
    """
    answer = reader.get(
        f"{in_repository(full_name)}/contents/{quote(path)}",
        doing=f"read {path} of {full_name}",
        permission="contents: read",
        headers={"If-None-Match": etag} if etag else None,
        allow=(404,),
    )
    if answer.status == 404:
        return None
    if answer.status == 304:
        return NotModified(etag or "")
    return Contents(_text_of(answer.body, path=path), answer.headers.get("etag"))


def _text_of(body: object, *, path: str) -> str:
    written = may(body, "content", str, "")
    if may(body, "encoding", str, "") != "base64":
        raise UserError(f"{path}: expected a text file below 1 MB here")
    try:
        return storable(base64.b64decode(written).decode("utf-8-sig"))
    except (binascii.Error, ValueError) as error:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from error

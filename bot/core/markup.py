"""Characters, HTML and Markdown of an issue, reduced to what a reader would say aloud.

Works on strings and single lines; every pattern is linear in its input (possessive or bounded).
Refuses to judge what is a log and what is prose: that is `bot.core.machine_text`.
"""

from __future__ import annotations

import re
import unicodedata

MAX_LINE = 2_000

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_SPACES = re.compile(
    r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]{2,}|[\t\u00a0\u2000-\u200a\u202f\u205f\u3000]"
)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_NEWLINES = re.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")

_IMAGE_TAG = re.compile(r"<(?:img|video)\b[^<>]{0,2000}>", re.IGNORECASE)
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|details|summary|h[1-6]|li|ul|ol|tr|table|tbody|thead|blockquote|pre|hr)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_INLINE_TAG = re.compile(
    r"</?(?:a|b|i|u|em|strong|kbd|sub|sup|span|td|th|center|code|font|picture|source|small|s|del|ins)"
    r"(?:\s[^<>]{0,1000})?/?>",
    re.IGNORECASE,
)

_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\]\([^()\s]{0,1000}(?:\s\"[^\"]{0,200}\")?\)")
_LINK = re.compile(
    r"\[([^\[\]]{1,500})\]\([^()\s]{1,1000}(?:\([^()\s]{0,200}\))?(?:\s\"[^\"]{0,200}\")?\)"
)
_URL = re.compile(
    r"\b(?:https?|ftp|git|ssh)://([^\s/?#<>\"'`)\]|]{1,255})([^\s<>\"'`)\]|]{0,2000})",
    re.IGNORECASE,
)
_PATH_WORD = re.compile(r"[A-Za-z][\w.-]{1,60}")

_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{3,}\b", re.IGNORECASE)
_HASH = re.compile(r"\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,128}\b")
_BLOB = re.compile(r"[A-Za-z0-9+/]{60,}+={0,2}")
_STAMP = re.compile(
    r"\b\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|\s?[+-]\d\d:?\d\d)?\b"
    r"|\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"
)
_DECIMAL = re.compile(r"(?<![\w.])(\d{1,9}\.\d\d)\d{2,}+(?![\w.])")
_NUMBER = re.compile(r"\b\d{5,}+\b")
_DIGIT = re.compile(r"\d")
_NUMBERS = re.compile(r"(?:[-+]?\d[\d.]{0,20}[,;\s]{1,4}){5,}+[-+]?\d[\d.]{0,20}")
_PATH = re.compile(r"(?:(?<![\w/.])[A-Za-z]:)?(?:[\\/]{1,2}[\w.@~+-]{1,100}){3,}+")


def clean_characters(text: str) -> str:
    """NFKC, `\\n` line ends, no control, invisible, private or unpaired characters."""
    text = _NEWLINES.sub("\n", _ANSI.sub("", text))
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    unwanted = {ord(c): None for c in set(text) if not c.isprintable() and _invisible(c)}
    return _SPACES.sub(_one_space_or_indent, text.translate(unwanted) if unwanted else text)


def _invisible(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in _INVISIBLE


def _one_space_or_indent(match: re.Match[str]) -> str:
    at_line_start = match.start() == 0 or match.string[match.start() - 1] == "\n"
    return "    " if at_line_start and len(match[0].expandtabs(4)) >= 4 else " "


def drop_comments(text: str) -> str:
    """Removes `<!-- ... -->`; of an unclosed one only the mark, for what follows was meant to be read."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        parts.append(text[at:start])
        end = text.find("-->", start + 4)
        if end < 0:
            parts.append(text[start:].replace("<!--", ""))
            return "".join(parts)
        at = end + 3
    return "".join((*parts, text[at:]))


def drop_tags(line: str) -> str:
    """HTML tags that GitHub renders; an image leaves the word `[image]`, code such as `<T>` stays."""
    if "<" not in line:
        return line
    line = _IMAGE_TAG.sub("[image]", line)
    return _INLINE_TAG.sub("", _BLOCK_TAG.sub(" ", line))


def read_links(line: str) -> str:
    """`[text](url)` to its text, images to `[image]`, a bare URL to its host and its last word."""
    if "](" in line:
        line = _LINK.sub(r"\1", _IMAGE.sub("[image]", line))
    return _URL.sub(_host_and_word, line) if "://" in line else line


def _host_and_word(match: re.Match[str]) -> str:
    host = match[1].rpartition("@")[2].removeprefix("www.")
    if "user-images" in host or "/user-attachments/" in match[2] or "/assets/" in match[2]:
        return "[image]"
    path = match[2].partition("?")[0].partition("#")[0]
    words = [w for w in map(_path_word, path.split("/")) if w]
    return f"{host} {words[-1]}" if words else host


def _path_word(part: str) -> str:
    return part if _PATH_WORD.fullmatch(part) and not _HASH.search(part) else ""


def shorten_values(line: str) -> str:
    """Hashes, addresses, time stamps, long numbers and paths, which cost tokens and say nothing."""
    if len(line) >= 60:
        line = _BLOB.sub(_blob, line)
    if "/" in line or "\\" in line:
        line = _PATH.sub(_path_tail, line)
    if not _DIGIT.search(line):
        return line
    line = _STAMP.sub("", _UUID.sub("hash", line))
    line = _HASH.sub("hash", _ADDRESS.sub("0x", line))
    return _NUMBERS.sub(_first_numbers, _NUMBER.sub("0", _DECIMAL.sub(r"\1", line)))


def _blob(match: re.Match[str]) -> str:
    text = match[0]
    mixed = (
        any(map(str.isdigit, text)) and any(map(str.isupper, text)) and any(map(str.islower, text))
    )
    return "[data]" if mixed or len(text) > 200 else text


def _path_tail(match: re.Match[str]) -> str:
    parts = [p for p in re.split(r"[\\/]+", match[0]) if p]
    return "/".join(parts[-2:])


def _first_numbers(match: re.Match[str]) -> str:
    return " ".join(re.findall(r"[-+]?\d[\d.]{0,20}", match[0])[:2]) + " ..."

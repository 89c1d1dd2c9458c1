"""What a preview reads from files and keeps in files: pasts, pages, vectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.core.provenance import TOGETHER
from bot.core.rules import Rules
from bot.preview import kept_pages
from bot.preview.from_file import past_from_file
from bot.preview.kept_pages import KeptPages, Page
from bot.preview.past import Past
from bot.preview.vectors import KeptVectors

AT = "2024-05-01T10:00:00Z"
SETTLING = timedelta(days=7)


def past(tmp_path: Path, *rows: dict[str, object]) -> Past:
    file = tmp_path / "issues.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return past_from_file(file, repo=None, rules=Rules(), settling=SETTLING)


def event(label: str, at: str, actor: str, **more: object) -> dict[str, object]:
    return {"event": "labeled", "label": label, "created_at": at, "actor": actor, **more}


def test_a_label_that_its_author_set_in_the_same_second_is_the_forms(tmp_path: Path) -> None:
    events = [
        event("later", "2024-05-03T10:00:00Z", "ann"),
        event("form", AT, "ann"),
        event("mate", AT, "bob"),
        event("bot", AT, "x", actor_is_bot=True),
    ]
    row = {"title": "t", "created_at": AT, "author": "ann", "label_events": events}
    (issue,) = past(tmp_path, row).issues
    kinds = {e.label: e.actor_kind for e in issue.events}
    assert kinds == {"form": "form", "mate": "human", "bot": "bot", "later": "human"}
    assert [e.at for e in issue.events] == sorted(e.at for e in issue.events)


def test_the_source_ends_after_all_that_is_in_it(tmp_path: Path) -> None:
    closed = "2024-06-01T00:00:00Z"
    found = past(tmp_path, {"title": "t", "created_at": AT, "closed_at": closed})
    assert found.now > datetime(2024, 6, 1, tzinfo=UTC)
    assert found.dated


def test_undated_issues_keep_their_order_and_lose_the_times_of_labels(tmp_path: Path) -> None:
    rows = [{"title": f"t{n}", "number": 9 - n, "labels": ["bug"]} for n in range(4)]
    rows[0]["created_at"] = AT
    rows[0]["label_events"] = [event("bug", AT, "ann")]
    found = past(tmp_path, *rows)
    assert not found.dated
    assert [issue.title for issue in found.issues] == ["t3", "t2", "t1", "t0"]
    steps = np.diff([issue.created_at.timestamp() for issue in found.issues])
    assert (steps == 86400).all()
    assert not any(issue.events for issue in found.issues)
    assert "no dates" in found.notes[0]


def test_what_the_file_says_of_its_texts(tmp_path: Path) -> None:
    rows = [{"title": "a", "as_filed": True}, {"title": "b", "as_filed": False}, {"title": "c"}]
    assert [issue.as_filed for issue in past(tmp_path, *rows).issues] == [True, False, None]


@pytest.mark.parametrize("repo", ["javascript:alert(1)", "a/b/c", "local/x", "a b/c", "a/b\n"])
def test_only_what_looks_like_a_repository_gets_links(tmp_path: Path, repo: str) -> None:
    found = past(tmp_path, {"title": "a", "number": 3, "repo": repo})
    assert found.link(3) == ""


def test_a_repository_gets_links(tmp_path: Path) -> None:
    found = past(tmp_path, {"title": "a", "number": 3, "repo": "acme/wid.get-2"})
    assert found.link(3) == "https://github.com/acme/wid.get-2/issues/3"


# -- pages --------------------------------------------------------------------------------------------

PAGE = Page([{"number": 1, "title": "ä"}], "https://api.example/next")


def test_pages_come_back(tmp_path: Path) -> None:
    KeptPages(tmp_path / "kept", source="x").save("issues", 3, PAGE)
    again = KeptPages(tmp_path / "kept", source="x")
    assert again.load("issues", 3) == PAGE
    assert again.load("issues", 4) is None


@pytest.mark.parametrize("how", ["another source", "fresh", "a day later", "broken"])
def test_pages_are_dropped(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    KeptPages(folder, source="x").save("issues", 0, PAGE)
    if how == "a day later":
        monkeypatch.setattr(kept_pages, "FRESH", timedelta(0))
    if how == "broken":
        (folder / "issues-0000.json").write_text('{"rows": [')
    source = "y" if how == "another source" else "x"
    assert KeptPages(folder, source=source, fresh=how == "fresh").load("issues", 0) is None


# -- mass relabels ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("issues", "kind"), [(TOGETHER, "bot"), (TOGETHER - 1, "human")])
def test_a_mass_relabel_is_nobodys_judgement(tmp_path: Path, issues: int, kind: str) -> None:
    """Also where every label was set on an issue of its own."""
    rows: list[dict[str, object]] = [
        {
            "title": str(n),
            "body": "",
            "labels": ["bug"],
            "created_at": f"2024-01-{n + 1:02}T00:00:00Z",
            "label_events": [event("bug", f"2024-03-01T00:00:{n // 2:02}Z", "ann")],
        }
        for n in range(issues)
    ]
    found = past(tmp_path, *rows).issues
    assert {e.actor_kind for issue in found for e in issue.events} == {kind}


# -- vectors ------------------------------------------------------------------------------------------


class Counting:
    """Stands for an encoder and counts what it is given."""

    bundle_id, backend, text_version, dim = "b" * 64, "int8", 1, 4

    def __init__(self) -> None:
        self.given: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.given += texts
        return np.array([[len(text), 1, 2, 3] for text in texts], dtype=np.float32)


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    encoder = Counting()
    told: list[int] = []
    kept = KeptVectors(encoder, tmp_path)  # type: ignore[arg-type]
    first = kept.encode(["a", "bbb", "a"], told=told.append)
    assert first[:, 0].tolist() == [1, 3, 1]
    assert sorted(encoder.given) == ["a", "bbb"]
    assert told[-1] == 3
    again = KeptVectors(encoder, tmp_path).encode(["bbb", "cc"])  # type: ignore[arg-type]
    assert again[:, 0].tolist() == [3, 2]
    assert sorted(encoder.given) == ["a", "bbb", "cc"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_broken_file_of_vectors_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    encoder = Counting()
    KeptVectors(encoder, tmp_path).encode(["a"])  # type: ignore[arg-type]
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert KeptVectors(encoder, tmp_path).encode(["a"])[0, 0] == 1  # type: ignore[arg-type]
    assert encoder.given == ["a", "a"]


def test_no_texts_no_vectors(tmp_path: Path) -> None:
    assert KeptVectors(Counting(), tmp_path).encode([]).shape == (0, 4)  # type: ignore[arg-type]

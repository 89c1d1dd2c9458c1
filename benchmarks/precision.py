"""Offline replay of the head: history is the first part of a file of issues, the rest arrives.

Says what was promised and what came, on known pairs, beside words alone with naive cuts in the same run.
Reads the files it is given and keeps nothing but vectors, and those only under `--cache`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from bot.classify.encoder import Encoder
from bot.classify.head import Head, fit_head
from bot.classify.history import History
from bot.core.bounds import p_value
from bot.core.decide import decide
from bot.core.evidence import KnownPairs, known_pairs
from bot.core.families import infer_exclusive
from bot.core.label_text import label_text
from bot.core.measure import Measure, measure
from bot.core.rules import Rules, learnable
from bot.core.text import issue_text
from bot.core.types import IssueText, LabelSpec
from bot.issues_file import FiledIssue, by_repository, read_issues

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
NAIVE_STEPS = np.linspace(0.95, 0.3, 66)
FEWEST = 22
"""Fewer right ones, even if all are, prove no .9 at confidence .9; the walk starts after that."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One repository, cut in time: rows before `start` are history."""

    name: str
    specs: tuple[LabelSpec, ...]
    exclusive: tuple[tuple[str, ...], ...]
    texts: tuple[IssueText, ...]
    vectors: NDArray[np.float32]
    known: KnownPairs
    associations: tuple[str, ...]
    start: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.specs)


def main() -> None:
    options = _options()
    encode = open_encoder(options.bundle, options.cache)
    rows = []
    for path in options.files:
        for repo, issues in by_repository(read_issues(path, repo=options.repo)).items():
            rows += [
                _row(
                    _cut_in_time(f"{path.stem.split('.')[0]} {repo}", issues, share, encode),
                    encode,
                    options,
                )
                for share in options.share
                if len(issues) >= options.least
            ]
            if not options.json_only:
                _show(rows[-len(options.share) :])
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    _show(rows)


def _options() -> argparse.Namespace:
    parser = replay_parser(__doc__, least=50)
    parser.add_argument("--share", type=float, nargs="+", default=[0.7], help="history's share")
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--without-baseline", action="store_true")
    parser.add_argument("--json-only", action="store_true", help="no table per repository")
    return parser.parse_args()


def replay_parser(description: str | None, *, least: int) -> argparse.ArgumentParser:
    """The arguments of every replay of files."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("files", type=Path, nargs="+", help="JSON Lines, gzipped or not")
    parser.add_argument("--repo", help="only this repository of the files")
    parser.add_argument("--bundle", type=Path, required=True, help="a built bundle")
    parser.add_argument("--cache", type=Path, help="keep what was computed in this folder")
    parser.add_argument("--least", type=int, default=least, help="issues of a repository to bother")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


def open_encoder(bundle: Path, cache: Path | None) -> Encode:
    """The encoder that serves; with `cache`, every list of texts is embedded once."""
    encoder = Encoder.open(bundle)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        key = hashlib.sha256("\0".join([encoder.bundle_id, encoder.backend, *texts]).encode())
        kept = cache / f"{key.hexdigest()[:24]}.npy" if cache else None
        if kept and kept.exists():
            return np.asarray(np.load(kept), dtype=np.float32)
        vectors = encoder.encode(list(texts))
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, vectors)
        return vectors

    return encode


def _cut_in_time(name: str, issues: Sequence[FiledIssue], share: float, encode: Encode) -> Replay:
    """Labels, groups and families come from the history alone."""
    start = int(share * len(issues))
    seen = sorted({label for issue in issues[:start] for label in issue.labels})
    specs = tuple(LabelSpec(label) for label in seen if learnable(label, Rules()))
    names = [spec.name for spec in specs]
    exclusive = infer_exclusive([issue.labels for issue in issues[:start]], names)
    texts = tuple(issue_text(issue.title, issue.body) for issue in issues)
    return Replay(
        name=name,
        specs=specs,
        exclusive=exclusive,
        texts=texts,
        vectors=encode([text.joined for text in texts]),
        known=known_pairs([issue.labels for issue in issues], names, exclusive=exclusive),
        associations=tuple(issue.association for issue in issues),
        start=start,
    )


def _row(replay: Replay, encode: Encode, options: argparse.Namespace) -> dict[str, Any]:
    begin = time.perf_counter()
    head = _fit(replay, encode([label_text(spec) for spec in replay.specs]), options.target)
    fitted = time.perf_counter() - begin
    applied, known = _apply(head, replay), replay.known[replay.start :]
    found = {
        "set": replay.name,
        "history": replay.start,
        "labels": len(replay.specs),
        "promised": options.target,
        "fit_s": fitted,
        "expected": {k: v for k, v in head.expectation.as_dict().items() if k != "labels"},
        "got": _measured(measure(applied, known), options.target),
        "muted": head.expectation.muted,
        "per_label": {
            name: measure(applied[:, [j]], known[:, [j]]).as_dict()
            for j, name in enumerate(replay.names)
            if applied[:, j].any()
        },
    }
    if not options.without_baseline:
        naive = _words_alone(replay, options.target)
        found["words_alone"] = _measured(measure(naive, known), options.target)
    return found


def _fit(replay: Replay, label_vectors: NDArray[np.float32], target: float) -> Head:
    past = slice(0, replay.start)
    history = History(
        texts=replay.texts[past],
        vectors=replay.vectors[past],
        known=replay.known[past],
        times=np.arange(replay.start, dtype=np.float64),
        associations=replay.associations[past],
    )
    return fit_head(
        history,
        replay.specs,
        label_vectors=label_vectors,
        exclusive=replay.exclusive,
        target=target,
    )


def _apply(head: Head, replay: Replay) -> NDArray[np.bool_]:
    """What would be applied to the arriving issues [n, L], through the decisions that serve."""
    now = slice(replay.start, None)
    scores = head.score(replay.texts[now], replay.vectors[now], replay.associations[now])
    rows = [
        decide(
            row,
            rules=Rules(),
            exclusive=replay.exclusive,
            present=(),
            removed_by_human=(),
            available=replay.names,
        )
        for row in scores
    ]
    chosen = [{d.label for d in row if d.action == "apply"} for row in rows]
    return np.array([[name in row for name in replay.names] for row in chosen], dtype=np.bool_)


def _words_alone(replay: Replay, target: float) -> NDArray[np.bool_]:
    """The baseline: TF-IDF of text and of title, one logistic regression per label (C = 10), and per
    label the lowest threshold that a walk of Clopper-Pearson tests at confidence .9 reaches on random
    folds of the history."""
    joined = [text.joined for text in replay.texts]
    titles = [text.title for text in replay.texts]
    past, now = slice(0, replay.start), slice(replay.start, None)
    whole = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    title = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    X = hstack([whole.fit_transform(joined[past]), title.fit_transform(titles[past])]).tocsr()
    Z = hstack([whole.transform(joined[now]), title.transform(titles[now])]).tocsr()
    applied = np.zeros((Z.shape[0], len(replay.specs)), dtype=np.bool_)
    for j in range(len(replay.specs)):
        rows = np.flatnonzero(replay.known[past, j])
        y = replay.known[rows, j] > 0
        if min(y.sum(), (~y).sum()) >= 5:
            cut = _naive_cut(X[rows], y, target)
            model = LogisticRegression(C=10, max_iter=300).fit(X[rows], y)
            applied[:, j] = model.predict_proba(Z)[:, 1] >= cut
    return applied


def _naive_cut(X: Any, y: NDArray[np.bool_], target: float) -> float:
    p = np.zeros(len(y))
    for train, test in KFold(5, shuffle=True, random_state=0).split(y):
        if 0 < y[train].sum() < len(train):
            p[test] = (
                LogisticRegression(C=10, max_iter=300)
                .fit(X[train], y[train])
                .predict_proba(X[test])
            )[:, 1]
    cut = np.inf
    for step in NAIVE_STEPS:
        over = p >= step
        if over.sum() < FEWEST:
            continue
        if p_value(int(y[over].sum()), int(over.sum()), target=target) > 0.1:
            break
        cut = float(step)
    return cut


def _measured(found: Measure, target: float) -> dict[str, Any]:
    """With the chance of so few right ones, were the promise true: small means that it broke."""
    known = found.right + found.wrong
    broken = p_value(found.wrong, known, target=1 - target) if known else 1.0
    return {**found.as_dict(), "p_broken": broken}


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(
        "set", "history", "who", "precision", "p", "unknown", "worst", "coverage", "recall"
    )
    for row in rows:
        for who in ("expected", "got", "words_alone"):
            if who in row:
                table.add_row(row["set"], str(row["history"]), who, *_cells(row[who]))
    Console(width=120).print(table)


def _cells(found: dict[str, Any]) -> list[str]:
    names = ("precision", "p_broken", "unknown_share", "worst_case", "coverage", "label_recall")
    return ["" if found.get(name) is None else f"{found[name]:.3f}" for name in names]


if __name__ == "__main__":
    main()

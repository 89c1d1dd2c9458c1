"""A repository that lives: real issues in their order, our decisions, and a simulated maintainer's answers.

Before `start` people labelled as the file says; from then on labels are ours and what the maintainer makes
of them, nothing else. What was known at a moment, and which acts are corrections, the product's own code
tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.maintainer import Habits, visit
from bot.classify.sides import author_marks
from bot.classify.words import count_words
from bot.core.corrections import Act, Case, Correction, Did, derive
from bot.core.evidence import KnownPairs, known_pairs
from bot.core.families import infer_exclusive
from bot.core.rules import Rules, learnable
from bot.core.silence import Draw, draw, monthly_share
from bot.core.text import issue_text
from bot.core.types import Decision, LabelEvent, LabelSpec
from bot.issues_file import FiledIssue
from bot.jobs.learning.past import Past
from bot.preview.past import PastIssue
from bot.preview.record import PastRecord
from bot.store.outlines import Outline

Groups = Sequence[Sequence[str]]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]

SETTLING = timedelta(days=7)
MONTH = timedelta(days=30)
MADE_UP = datetime(2000, 1, 1, tzinfo=UTC)
"""Issues without dates are filed one a day from here on."""
BETWEEN = timedelta(seconds=1)
"""Between two changes of one visit."""
_DID: dict[str, Did] = {"apply": "applied", "suggest": "suggested", "abstain": "abstained"}


class World:
    """One repository through time. Rows are the ids of its issues."""

    def __init__(
        self,
        name: str,
        issues: Sequence[FiledIssue],
        *,
        start: int,
        encode: Encode,
        habits: Habits,
        seed: int,
        silent_share: float,
    ) -> None:
        texts = [issue_text(issue.title, issue.body) for issue in issues]
        dated = all(issue.created_at for issue in issues)
        self.name, self.start, self.encode, self.texts = name, start, encode, texts
        self.filed = [
            issue.created_at if dated and issue.created_at else MADE_UP + timedelta(days=row)
            for row, issue in enumerate(issues)
        ]
        self.associations = [issue.association for issue in issues]
        self.vectors = encode([text.joined for text in texts])
        self.counts = count_words(texts, extra=author_marks(self.associations))
        self.true_sets = [frozenset(issue.labels) for issue in issues]
        self.corrections: dict[int, tuple[Correction, ...]] = {}
        self.slips: set[tuple[int, str]] = set()
        self._acts: dict[int, list[Act]] = {}
        self._silent_share = silent_share
        self.draws: dict[int, Draw] = {}
        self._visit = partial(visit, habits, seed=seed)
        self._past = [self._before(row) for row in range(len(issues))]
        self._record = PastRecord(
            self._past, settling=SETTLING, until=datetime.max.replace(tzinfo=UTC)
        )
        self._outlines = [_outline(row, issue, self.filed[row]) for row, issue in enumerate(issues)]

    def _before(self, row: int) -> PastIssue:
        """People's labels are there from the past only."""
        labels = self.true_sets[row] if row < self.start else frozenset()
        return PastIssue(row, "", "", self.filed[row], labels)

    def __len__(self) -> int:
        return len(self.filed)

    # -- what is known ------------------------------------------------------------------------------------

    def names(self, rows: int) -> list[str]:
        """Labels that the repository has when so many issues were filed."""
        seen = {label for labels in self.true_sets[:rows] for label in labels}
        return sorted(name for name in seen if learnable(name, Rules()))

    def exclusive(self, names: Sequence[str], moment: datetime, *, rows: int) -> Groups:
        return infer_exclusive(self._record.label_sets(moment, rows=rows), names)

    def known(
        self, names: Sequence[str], moment: datetime, *, rows: int, exclusive: Groups
    ) -> KnownPairs:
        return self._record.known(moment, rows=rows, labels=names, exclusive=exclusive)

    def truth(self, names: Sequence[str], exclusive: Groups) -> KnownPairs:
        """Of all issues, by the labels that the file says they ended up with."""
        return known_pairs(self.true_sets, names, exclusive=exclusive)

    def unbiased(self, rows: int) -> NDArray[np.bool_]:
        return np.array([r < self.start or self.draws[r].silent for r in range(rows)], np.bool_)

    def past(self, names: Sequence[str], *, rows: int) -> Past:
        """What tasks would have read of it."""
        told = [one for found in self.corrections.values() for one in found]
        return Past(
            full_name=self.name,
            issues=self._outlines[:rows],
            events={},
            corrections=sorted(told, key=lambda one: (one.at, one.issue_id)),
            specs=[LabelSpec(name) for name in names],
            rules=Rules(),
        )

    def labels_set(self, row: int) -> set[str]:
        """By us."""
        return {act.label for act in self._acts.get(row, ()) if act.did == "applied"}

    def labels_meant(self, row: int) -> set[str]:
        """What we set, or would have set on an issue where we were silent."""
        return {act.label for act in self._acts.get(row, ()) if act.did in ("applied", "withheld")}

    # -- what happens -------------------------------------------------------------------------------------

    def arrive(self, row: int) -> bool:
        """Draw whether to be silent on it."""
        month = sum(1 for at in self.filed[:row] if at > self.filed[row] - MONTH)
        share = monthly_share(self._silent_share, issues=month)
        self.draws[row] = draw(row, seed=1, share=share)
        return self.draws[row].silent

    def decided(self, row: int, decisions: Sequence[Decision]) -> None:
        """What we decided has come to pass."""
        at, quiet = self.filed[row] + BETWEEN, self.draws[row].silent
        self._acts[row] = [
            Act(one.label, "withheld" if quiet and one.action == "apply" else _DID[one.action], at)
            for one in decisions
        ]
        done = [act.label for act in self._acts[row] if act.did == "applied"]
        self._happened(row, [LabelEvent(label, True, "labelwright", "us", at) for label in done])

    def answers(self, row: int, names: Sequence[str], exclusive: Groups) -> list[LabelEvent]:
        """What the maintainer will do here, and when."""
        truth = known_pairs([self.true_sets[row]], names, exclusive=exclusive)[0]
        found = self._visit(
            issue=row,
            wanted=[name for name, value in zip(names, truth, strict=True) if value > 0],
            unwanted=[name for name, value in zip(names, truth, strict=True) if value < 0],
            there=self.labels_set(row),
        )
        self.slips |= {(row, change.label) for change in found.changes if change.slip}
        begin = self.filed[row] + 2 * BETWEEN + found.after
        return [
            LabelEvent(change.label, change.added, "maintainer", "human", begin + n * BETWEEN)
            for n, change in enumerate(found.changes)
        ]

    def corrected(
        self, row: int, events: Sequence[LabelEvent], exclusive: Groups
    ) -> tuple[Correction, ...]:
        """The maintainer has been here; the corrections that came of it."""
        self._happened(row, events)
        case = Case(
            issue_id=row,
            author="author",
            association="NONE",
            acts=self._acts.get(row, ()),
            events=self._past[row].events,
            silent=self.draws[row].silent,
        )
        self.corrections[row] = derive(case, exclusive=exclusive).corrections
        return self.corrections[row]

    def _happened(self, row: int, events: Sequence[LabelEvent]) -> None:
        issue = self._past[row]
        self._past[row] = replace(issue, events=(*issue.events, *events))


def _outline(row: int, issue: FiledIssue, filed: datetime) -> Outline:
    return Outline(
        id=row,
        number=issue.number,
        author_association=issue.association,
        created_at=filed,
        labels=frozenset(),
        text=row,
    )

"""What a person has us do to labels: done in our name on GitHub, and theirs as evidence.

Whoever calls this has asked GitHub whether the person may. Refuses nothing that they may do themselves:
a person's word goes over what others set or removed, and over the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.core.types import LabelEvent
from bot.errors import RetryLater
from bot.github.apply import Applied, Reasons, apply_labels, last_events, remove_labels
from bot.jobs.context import Context
from bot.jobs.requests import request_refit
from bot.jobs.turn import Turn
from bot.store import answers, label_events, labels
from bot.store.label_events import ON_BEHALF
from bot.store.tables import Repository


@dataclass(frozen=True, slots=True)
class Word:
    """Who asked, when, and by which comment: what other people did or asked since goes over it."""

    actor: str
    at: datetime
    comment_id: int


@dataclass(frozen=True)
class Scene:
    """An issue on which somebody asks something of us; `turn` is taken before each write."""

    context: Context
    repository_id: int
    installation_id: int
    full_name: str
    number: int
    issue_id: int
    turn: Turn

    @classmethod
    def at(
        cls,
        context: Context,
        repository: Repository,
        *,
        number: int,
        issue_id: int,
        turn_at: datetime | None,
    ) -> Scene:
        """`turn_at`: when the first write's turn is, where it was taken before."""
        moment = turn_at.timestamp() if turn_at else None
        return cls(
            context=context,
            repository_id=repository.id,
            installation_id=repository.installation_id,
            full_name=repository.full_name,
            number=number,
            issue_id=issue_id,
            turn=Turn(context, repository.installation_id, moment=moment),
        )

    def known_labels(self) -> dict[str, int]:
        """Name -> GitHub's id of the repository's labels."""
        with self.context.database.session() as session:
            return labels.known_ids(session, self.repository_id)

    def come_back(self, asked_id: int) -> RetryLater:
        """To be raised where the next write has to wait; the turn that was taken is kept with what was
        asked."""
        moment = self.turn.moment
        with self.context.database.session() as session:
            turn_at = datetime.fromtimestamp(moment, UTC) if moment else None
            answers.wait_for(session, asked_id, turn_at)
        return self.turn.come_back()


def put_on(scene: Scene, names: Collection[str], *, word: Word) -> Reasons:
    """Set labels; (label, why not) of those that could not be set. Twice is once."""
    over = _overtaken(scene, names, word=word, added=True)
    applied = apply_labels(
        scene.context.client(scene.installation_id),
        scene.full_name,
        scene.number,
        [name for name in names if name not in dict(over)],
        known_ids=scene.known_labels(),
        asked_at=word.at,
        before_write=scene.turn,
    )
    _remember(scene, (*applied.added, *applied.already), added=True, actor=word.actor)
    return (*over, *_failures(applied))


def take_off(scene: Scene, names: Collection[str], *, word: Word) -> Reasons:
    """Take labels off; (label, why not) of those that stay. That one is not there now is a word against
    it all the same."""
    over = _overtaken(scene, names, word=word, added=False)
    done = remove_labels(
        scene.context.client(scene.installation_id),
        scene.full_name,
        scene.number,
        [name for name in names if name not in dict(over)],
        asked_at=word.at,
        before_write=scene.turn,
    )
    _remember(scene, (*done.removed, *done.absent), added=False, actor=word.actor)
    return (*over, *done.skipped)


def speak_against(scene: Scene, names: Collection[str], *, actor: str) -> None:
    """Somebody says that labels which are not there do not belong; nothing is written to GitHub."""
    _remember(scene, names, added=False, actor=actor)


def _overtaken(scene: Scene, names: Collection[str], *, word: Word, added: bool) -> Reasons:
    """What a later command said otherwise that was carried out first, while this one was parked. GitHub
    shows it as our doing, if it left a trace there at all; the store knows whose it was."""
    with scene.context.database.session() as session:
        if not answers.overtaken(session, scene.issue_id, word.comment_id):
            return ()
        told = label_events.of_issue(session, scene.issue_id)
    last = last_events(event for event in told if event.actor_kind == "human")
    why = "somebody took it off since" if added else "somebody set it since"
    said = {name: last.get(name.casefold()) for name in names}
    return tuple(
        (name, why) for name, e in said.items() if e and e.added != added and e.at > word.at
    )


def _failures(applied: Applied) -> Reasons:
    return (*applied.skipped, *((name, "it was deleted meanwhile") for name in applied.recreated))


def _remember(scene: Scene, names: Collection[str], *, added: bool, actor: str) -> None:
    """The person's word as evidence, the answer to what we had suggested, and a refit. Where we kept silent it
    is a witness like any other: nobody had heard what we think."""
    if not names:
        return
    told = list(_told(scene, names, added=added, actor=actor))
    with scene.context.database.session() as session:
        label_events.record(session, scene.issue_id, told, source=ON_BEHALF)
        for source in answers.SOURCES:
            for suggestion in answers.open_suggestions(session, scene.issue_id, source):
                if suggestion.label in names:
                    answers.answer(
                        session,
                        suggestion.effect_id,
                        verdict="approved" if added else "dismissed",
                        actor=actor,
                        source=source,
                        at=told[0].at,
                    )
        verb = "set" if added else "taken off"
        request_refit(session, scene.repository_id, labels=names, reason=f"{verb} by command")


def _told(scene: Scene, names: Iterable[str], *, added: bool, actor: str) -> Iterable[LabelEvent]:
    """As GitHub tells it, id and time, so that a harvest finds it known; else as of now."""
    client = scene.context.client(scene.installation_id)
    last = last_events(client.issue_events(scene.full_name, scene.number))
    now = datetime.now(UTC).replace(microsecond=0)  # as GitHub tells times: all in one order
    for name in names:
        found = last.get(name.casefold())
        fresh = found is not None and found.actor_kind == "us" and found.added == added
        if found is not None and fresh and now - found.at <= label_events.SAME_WITHIN:
            yield LabelEvent(name, added, actor, "human", found.at, found.github_id)
        else:
            yield LabelEvent(name, added, actor, "human", now)

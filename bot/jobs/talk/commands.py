"""Commands in comments: who may, what is done, what is answered.

GitHub is asked who may; the payload is not. A comment is obeyed once, in the state in which it was
written; how far we came is stored after each command, so that a job that runs again goes on from there.
In a dry run nothing is written to GitHub: no label, no answer, no reaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core import wording
from bot.core.commands import Command, nearest, parse_commands, resolve
from bot.core.rules import Rules, parse_rules
from bot.errors import Ignore
from bot.github.client import InstallationClient
from bot.github.occurrences import CommentCreated
from bot.github.payloads import RepositoryRef
from bot.jobs import pipeline
from bot.jobs.behalf import Scene, Word, put_on, take_off
from bot.jobs.context import Context
from bot.jobs.house_rules import current_rules
from bot.jobs.requests import request_onboarding
from bot.jobs.talk.reasons import explain
from bot.jobs.turn import NotYet
from bot.store import answers, heads, issues, labels, repositories, silence
from bot.store.tables import Repository

ANSWER, WHY, REFUSAL = "answer", "why", "refusal"
"""Markers of our comments: one of each on an issue, edited in place."""

WORKED = ""
"""What is said of a command that simply worked: the reaction says it."""


def obey(context: Context, event: CommentCreated, *, delivery_id: int) -> str:
    """Carry out the commands of a new comment; returns the outcome in words.

    Raises:
        Ignore: there is no command, or none for us. RetryLater: GitHub, or our turn, is to be waited for.
    """
    commands = parse_commands(event.body)
    if not commands or event.sender.is_bot or event.sender.is_us or event.issue.is_pull_request:
        raise Ignore("no command for us")
    repository = _repository(context, event.repository.id)
    client = context.client(repository.installation_id)
    rules = _rules(context, client, repository)
    if not rules.commands:
        raise Ignore("the rules turn commands off")
    desk = _Desk.open(context, event, repository=repository, rules=rules, delivery_id=delivery_id)
    try:
        return desk.serve(commands)
    except NotYet:
        raise desk.scene.come_back(desk.asked_id) from None


def _repository(context: Context, repository_id: int) -> Repository:
    """Paused ones too: somebody must be able to end that."""
    with context.database.session() as session:
        found = repositories.get(session, repository_id)
    if found is None or found.status == "removed":
        raise Ignore(f"repository {repository_id} is not served")
    return found


def _rules(context: Context, client: InstallationClient, repository: Repository) -> Rules:
    if repository.status == "paused":
        return parse_rules(repository.rules_text or "")
    return current_rules(context, client, repository.id)


@dataclass(frozen=True)
class _Desk:
    """Where one comment is dealt with."""

    scene: Scene
    event: CommentCreated
    rules: Rules
    asked_id: int
    done: int
    said: tuple[str, ...]
    delivery_id: int

    @classmethod
    def open(
        cls,
        context: Context,
        event: CommentCreated,
        *,
        repository: Repository,
        rules: Rules,
        delivery_id: int,
    ) -> _Desk:
        """Raises Ignore where the comment was dealt with before."""
        with context.database.session() as session:
            issue_id = issues.upsert(session, repository.id, event.issue, as_filed=False)
            asked = answers.ask(
                session, issue_id, comment_id=event.comment_id, actor=event.sender.login
            )
            if asked.status != "open":
                raise Ignore("this comment was dealt with before")
            scene = Scene.at(
                context,
                repository,
                number=event.issue.number,
                issue_id=issue_id,
                turn_at=asked.turn_at,
            )
            return cls(scene, event, rules, asked.id, asked.done, tuple(asked.said), delivery_id)

    @property
    def actor(self) -> str:
        return self.event.sender.login

    @property
    def word(self) -> Word:
        return Word(self.actor, self.event.at, self.event.comment_id)

    @property
    def client(self) -> InstallationClient:
        return self.scene.context.client(self.scene.installation_id)

    @property
    def writes(self) -> bool:
        return self.rules.mode != "dry-run"

    @property
    def speaks(self) -> bool:
        """In a locked conversation labels are set, and nothing is said."""
        return self.writes and not self.event.issue.locked

    def serve(self, commands: Sequence[Command]) -> str:
        if not self.client.permission(self.scene.full_name, self.actor).may_triage:
            return self._refuse()
        said = list(self.said)
        for done, command in enumerate(commands[self.done :], start=self.done + 1):
            said.append(self._carry_out(command))
            with self.scene.context.database.session() as session:
                answers.progress(session, self.asked_id, done=done, said=said)
        self._reply(said)
        self._close("done")
        return f"{len(commands)} commands by {self.actor}"

    def _refuse(self) -> str:
        """Once per person, and on an issue once for all."""
        with self.scene.context.database.session() as session:
            before = answers.was_refused(session, self.scene.repository_id, self.actor)
        told = self.speaks and not before
        if told:
            self._comment(wording.REFUSAL, marker=REFUSAL)
        self._close("refused" if told else "done")
        return f"{self.actor} may not command here"

    def _reply(self, said: Sequence[str]) -> None:
        """The reaction comes last: a comment that is there already takes no turn, a reaction always does."""
        if not self.speaks:
            return
        if told := [one for one in dict.fromkeys(said) if one != WORKED]:
            body = wording.reply(told, asker=self.actor, url=self.event.url)
            self._comment(body, marker=ANSWER)
        if WORKED in said:
            self.scene.turn()
            self.client.react(self.scene.full_name, self.event.comment_id, "+1")

    def _comment(self, body: str, *, marker: str) -> None:
        self.client.comment(
            self.scene.full_name,
            self.scene.number,
            body,
            marker=marker,
            before_write=self.scene.turn.notifying,
        )

    def _close(self, status: answers.Ended) -> None:
        with self.scene.context.database.session() as session:
            answers.close(session, self.asked_id, status=status)

    # -- the commands -------------------------------------------------------------------------------------

    def _carry_out(self, command: Command) -> str:
        """What there is to say of it; `WORKED` where it simply worked."""
        match command.verb:
            case "label" | "unlabel":
                return self._change_labels(command)
            case "relabel":
                return self._relabel()
            case "why":
                return self._why()
            case "pause" | "resume":
                return self._pause(on=command.verb == "pause")
            case "status":
                return self._status()
            case "help":
                return wording.HELP

    def _change_labels(self, command: Command) -> str:
        """All of the labels or, where one is unknown, none."""
        if self._paused():
            return wording.PAUSED
        found, unknown = resolve(command.labels, self.scene.known_labels())
        if unknown:
            found |= self._met(unknown)
            unknown = [name for name in unknown if name not in found]
        if unknown:
            known = self.scene.known_labels()
            return wording.no_such_labels((name, nearest(name, known)) for name in unknown)
        if not self.writes:
            return WORKED
        if command.verb == "unlabel":
            return wording.not_done(take_off(self.scene, found.values(), word=self.word))
        return wording.not_done(put_on(self.scene, found.values(), word=self.word))

    def _met(self, names: Sequence[str]) -> dict[str, str]:
        """Labels that GitHub has and that we were not told of."""
        met = {name: self.client.label(self.scene.full_name, name) for name in names}
        with self.scene.context.database.session() as session:
            for label in met.values():
                if label is not None:
                    labels.save(session, self.scene.repository_id, label)
        return {name: label.name for name, label in met.items() if label is not None}

    def _relabel(self) -> str:
        if self._paused():
            return wording.PAUSED
        if self.writes:
            self._break_silence()
        issue = self.client.issue(self.scene.full_name, self.scene.number)
        try:
            pipeline.label_issue(
                self.scene.context,
                repository_id=self.scene.repository_id,
                filed=issue,
                as_filed=False,
                delivery_id=self.delivery_id,
            )
        except Ignore as reason:
            return f"Nothing was decided: {wording.plain(str(reason))}."
        return WORKED

    def _why(self) -> str:
        """Telling what we think is saying something: the issue is no unbiased evidence any more."""
        if self.speaks:
            self._break_silence()
            self._comment(explain(self.scene.context, self.scene.issue_id), marker=WHY)
        return WORKED

    def _break_silence(self) -> None:
        with self.scene.context.database.session() as session:
            silence.break_silence(session, self.scene.issue_id)

    def _pause(self, *, on: bool) -> str:
        with self.scene.context.database.session() as session:
            row = repositories.get(session, self.scene.repository_id)
            assert row is not None
            if on:
                repositories.set_status(session, row.id, "paused")
            elif row.status == "paused":
                repositories.set_status(session, row.id, "ready" if row.head_id else "new")
                # What happened meanwhile was not listened to.
                reference = RepositoryRef(row.id, row.full_name, row.private)
                request_onboarding(session, row.installation_id, reference)
        return WORKED

    def _paused(self) -> bool:
        with self.scene.context.database.session() as session:
            row = repositories.get(session, self.scene.repository_id)
            return row is not None and row.status == "paused"

    def _status(self) -> str:
        with self.scene.context.database.session() as session:
            row = repositories.get(session, self.scene.repository_id)
            head = heads.active(session, self.scene.repository_id)
            assert row is not None
            return wording.status(
                wording.Standing(
                    status=row.status,
                    mode=self.rules.mode,
                    precision=self.rules.precision,
                    head=head.version if head else None,
                    bundle=head.bundle if head else "",
                    labels=len(labels.active(session, row.id)),
                    rules_error=row.rules_error,
                )
            )

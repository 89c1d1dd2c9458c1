"""What each kind of delivery means for us: facts go to the store, work goes to the queue or the pipeline."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.core.types import RepositoryLabel
from bot.errors import Ignore, RetryLater
from bot.github import occurrences
from bot.github.occurrences import OfIssue
from bot.jobs import pipeline
from bot.jobs.context import Context
from bot.jobs.house_rules import current_rules
from bot.jobs.learning.departures import arrived, left, transferred
from bot.jobs.learning.taught import record_events
from bot.jobs.requests import request_learning, request_onboarding
from bot.jobs.served import served
from bot.jobs.suggesting import boxes_ticked
from bot.jobs.talk.commands import obey
from bot.jobs.talk.notices import request_notice
from bot.store import deliveries, installations, issues, labels, repositories

NOT_YET = 10.0
"""Seconds for which what answers us may lag behind what sent a delivery: what is not there may come."""


def handle(context: Context, event: occurrences.Event, *, delivery_id: int) -> str:
    """Act on one event; returns the outcome in words.

    Raises:
        Ignore, RetryLater, GiveUp: as the stages behind it do.
    """
    if isinstance(event, OfIssue):
        _meet(context, event)
    match event:
        case occurrences.IssueOpened():
            return _opened(context, event, delivery_id=delivery_id)
        case occurrences.IssueEdited():
            return _edited(context, event, delivery_id=delivery_id)
        case occurrences.LabelChanged():
            return _label_changed(context, event)
        case occurrences.CommentCreated():
            return obey(context, event, delivery_id=delivery_id)
        case occurrences.CommentEdited():
            return boxes_ticked(context, event)
        case occurrences.IssueClosed() | occurrences.IssueReopened() | occurrences.IssueLocked():
            return _seen(context, event)
        case occurrences.IssueDeleted():
            return left(context, event)
        case occurrences.IssueTransferred():
            return transferred(context, event)
        case occurrences.LabelDefinitionChanged():
            return _label_definition(context, event, delivery_id=delivery_id)
        case occurrences.Push():
            return _push(context, event)
        case _:
            return _handle_account(context, event)


def _meet(context: Context, event: OfIssue) -> None:
    """GitHub promises no order: an issue may be told before the installation that brings it."""
    with context.database.session() as session:
        known = repositories.get(session, event.repository.id) is not None
        if known or event.installation_id is None:
            return
        if installations.get(session, event.installation_id) is None:
            installations.upsert(
                session,
                id=event.installation_id,
                account=event.repository.full_name.partition("/")[0],
                write_interval=context.write_interval,
            )
        request_onboarding(session, event.installation_id, event.repository)


def _handle_account(context: Context, event: occurrences.Event) -> str:
    """Installations and repositories: who we serve, under which name."""
    with context.database.session() as session:
        match event:
            case (
                occurrences.InstallationCreated(installation_id=int(id_))
                | occurrences.RepositoriesAdded(installation_id=int(id_))
            ):
                _check_installed(session, id_)
                installations.upsert(
                    session,
                    id=id_,
                    account=event.account,
                    write_interval=context.write_interval,
                )
                for repository in event.repositories:
                    request_onboarding(session, id_, repository)
                return f"{len(event.repositories)} repositories to learn"
            case occurrences.InstallationDeleted(installation_id=int(id_)):
                installations.upsert(session, id=id_, account=event.account)
                installations.remove(session, id_)
                return f"{event.account} uninstalled the App"
            case occurrences.InstallationSuspended(installation_id=int(id_)):
                installations.suspend(session, id_, suspended=event.suspended)
                return "suspended" if event.suspended else "unsuspended"
            case occurrences.RepositoriesRemoved():
                for repository in event.repositories:
                    repositories.set_status(session, repository.id, "removed")
                return f"{len(event.repositories)} repositories removed"
            case occurrences.RepositoryRenamed():
                repositories.rename(session, event.repository.id, event.repository.full_name)
                return f"renamed from {event.old_full_name}"
            case occurrences.RepositoryDeleted():
                repositories.set_status(session, event.repository.id, "removed")
                return "repository deleted"
            case occurrences.RepositoryVisibilityChanged():
                repositories.set_private(session, event.repository.id, private=event.private)
                return "private" if event.private else "public"
            case _:
                raise Ignore("nothing to do for this event")


def _check_installed(session: Session, installation_id: int) -> None:
    """An id never comes back: installing again makes a new one. What says otherwise comes late."""
    known = installations.get(session, installation_id)
    if known is not None and known.removed_at is not None:
        raise Ignore(f"installation {installation_id} was uninstalled")


def _opened(context: Context, event: occurrences.IssueOpened, *, delivery_id: int) -> str:
    if event.came_from is not None:
        arrived(context, event, came_from=event.came_from)
    outcome = pipeline.label_issue(
        context,
        repository_id=event.repository.id,
        filed=event.issue,
        as_filed=event.came_from is None,
        delivery_id=delivery_id,
    )
    with context.database.session() as session:
        request_notice(session, event.repository.id, number=event.issue.number)
    return outcome


def _edited(context: Context, event: occurrences.IssueEdited, *, delivery_id: int) -> str:
    repository_id = event.repository.id
    installation_id = _installation(context, repository_id)
    rules = current_rules(context, context.client(installation_id), repository_id)
    if rules.on_edit == "ignore" or event.sender.is_us:
        return _seen(context, event)
    return pipeline.label_issue(
        context,
        repository_id=repository_id,
        filed=event.issue,
        as_filed=False,
        delivery_id=delivery_id,
    )


def _seen(context: Context, event: OfIssue) -> str:
    """Remember how the issue stands now; its text as filed stays as it is."""
    with context.database.session() as session:
        served(session, event.repository.id)
        issues.upsert(session, event.repository.id, event.issue, as_filed=False)
    return "remembered"


def _label_changed(context: Context, event: occurrences.LabelChanged) -> str:
    happened = event.label_event(context.auth.identity())
    with context.database.session() as session:
        served(session, event.repository.id)
        issue_id = issues.upsert(session, event.repository.id, event.issue, as_filed=False)
        record_events(session, event.repository.id, {issue_id: [happened]}, source="webhook")
    return f"{'added' if event.added else 'removed'} by {happened.actor_kind}"


def _label_definition(
    context: Context, event: occurrences.LabelDefinitionChanged, *, delivery_id: int
) -> str:
    repository_id, label = event.repository.id, event.label
    if event.action == "created" and event.sender.is_us:
        raise Ignore(f"label {label.name} came back by a write of ours, which undoes it")
    if event.action != "deleted":
        label = _label_now(context, event, delivery_id=delivery_id)
    with context.database.session() as session:
        served(session, repository_id)
        if event.action == "deleted":
            labels.delete(session, repository_id, label.github_id)
        else:
            labels.save(session, repository_id, label)
        request_learning(session, repository_id, reason=f"label {label.name} {event.action}")
    return f"label {label.name} {event.action}"


def _label_now(
    context: Context, event: occurrences.LabelDefinitionChanged, *, delivery_id: int
) -> RepositoryLabel:
    """As GitHub has it: these deliveries bear no time, and may come after newer ones.

    Raises:
        RetryLater: it is not there, or not yet.
        Ignore: it was renamed again or deleted since; the name that it had is remembered, with what was
            done under it.
    """
    label = event.label
    with context.database.session() as session:
        row = served(session, event.repository.id)
        full_name, installation_id = row.full_name, row.installation_id
    now = context.client(installation_id).label(full_name, label.name)
    if now is not None and now.github_id == label.github_id:
        return now
    with context.database.session() as session:
        if deliveries.age(session, delivery_id) < NOT_YET:
            raise RetryLater(f"GitHub does not show the label {label.name}", after=NOT_YET)
        labels.once_named(
            session,
            event.repository.id,
            label.github_id,
            name=label.name,
            taken=now is not None,
        )
    raise Ignore(f"label {label.name} was renamed or deleted since")


def _push(context: Context, event: occurrences.Push) -> str:
    if not (event.on_default_branch and event.touches_rules):
        raise Ignore("the push does not touch the rules")
    installation_id = _installation(context, event.repository.id)
    current_rules(context, context.client(installation_id), event.repository.id, fresh=True)
    with context.database.session() as session:
        request_learning(session, event.repository.id, reason="the rules changed")
        request_notice(session, event.repository.id)
    return "rules read again"


def _installation(context: Context, repository_id: int) -> int:
    with context.database.session() as session:
        return served(session, repository_id).installation_id

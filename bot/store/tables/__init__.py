"""The tables, as SQLAlchemy models. Shapes only: what is done with them lives in one module per noun."""

from bot.store.tables.answers import Answer, Asked, Notice, Poll
from bot.store.tables.bundles import Bundle
from bot.store.tables.github import Installation, Issue, Label, LabelEvent, Repository
from bot.store.tables.learning import Refit, Touched
from bot.store.tables.model import Decision, Head, Vector, WordCount
from bot.store.tables.promise import Standing, Tally, TallyMark
from bot.store.tables.runs import Run
from bot.store.tables.work import (
    Delivery,
    Effect,
    Harvest,
    QueueMigration,
    ScheduleRun,
    WorkerBeat,
)

__all__ = [
    "Answer",
    "Asked",
    "Bundle",
    "Decision",
    "Delivery",
    "Effect",
    "Harvest",
    "Head",
    "Installation",
    "Issue",
    "Label",
    "LabelEvent",
    "Notice",
    "Poll",
    "QueueMigration",
    "Refit",
    "Repository",
    "Run",
    "ScheduleRun",
    "Standing",
    "Tally",
    "TallyMark",
    "Touched",
    "Vector",
    "WordCount",
    "WorkerBeat",
]

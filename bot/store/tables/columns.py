"""Columns and checks that many tables have."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, func
from sqlalchemy.orm import Mapped, mapped_column


def row_id() -> Mapped[int]:
    return mapped_column(Identity(always=True), primary_key=True)


def given_id() -> Mapped[int]:
    return mapped_column(primary_key=True, autoincrement=False)


def now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)

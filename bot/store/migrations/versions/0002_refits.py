"""Refits of a head: what was tried, whether it serves, and why. How far issue events were harvested."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.alter_column("heads", "artefact", nullable=True)
    _touched_labels()
    _refits()
    _harvests()
    op.create_index("ix_label_events_actor_at", "label_events", ["actor", "at"])


def _touched_labels() -> None:
    op.create_table(
        "touched_labels",
        _id(),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _now("touched_at"),
        sa.PrimaryKeyConstraint("id", name="pk_touched_labels"),
        _refers("touched_labels", "repository_id", "repositories"),
    )
    op.create_index("ix_touched_labels_repository_id", "touched_labels", ["repository_id"])


def _refits() -> None:
    op.create_table(
        "refits",
        _id(),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("labels", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("head_before", sa.BigInteger(), nullable=True),
        sa.Column("head_after", sa.BigInteger(), nullable=True),
        sa.Column("swapped", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("report", JSONB(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_refits"),
        sa.CheckConstraint("kind IN ('labels', 'whole', 'rollback')", name="kind"),
        _refers("refits", "repository_id", "repositories"),
        _refers("refits", "head_before", "heads"),
        _refers("refits", "head_after", "heads"),
    )
    op.create_index("ix_refits_repository_id_id", "refits", ["repository_id", "id"])
    op.create_index("ix_refits_head_after", "refits", ["head_after"])


def _harvests() -> None:
    op.create_table(
        "harvests",
        sa.Column("repository_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("newest", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("repository_id", name="pk_harvests"),
        _refers("harvests", "repository_id", "repositories"),
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}")

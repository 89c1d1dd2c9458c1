"""Comments and suggestions of ours, and what people answered."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _asked()
    _answers()
    op.create_table(
        "polls",
        _key("issue_id"),
        _stamp("polled_at"),
        _refers("polls", "issue_id", "issues"),
        sa.PrimaryKeyConstraint("issue_id", name="pk_polls"),
    )
    op.create_table(
        "notices",
        _key("repository_id"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        _refers("notices", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_notices"),
    )


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _stamp(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}_{to}")


def _asked() -> None:
    op.create_table(
        "asked",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("github_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("said", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("turn_at", sa.DateTime(timezone=True), nullable=True),
        _stamp("asked_at"),
        sa.CheckConstraint("status IN ('open', 'done', 'refused')", name=op.f("ck_asked_status")),
        _refers("asked", "issue_id", "issues"),
        sa.PrimaryKeyConstraint("id", name="pk_asked"),
        sa.UniqueConstraint("issue_id", "github_id", name="uq_asked_issue_id_github_id"),
    )


def _answers() -> None:
    op.create_table(
        "answers",
        _key("effect_id"),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('approved', 'dismissed', 'void')", name=op.f("ck_answers_verdict")
        ),
        sa.CheckConstraint("source IN ('native', 'comment')", name=op.f("ck_answers_source")),
        _refers("answers", "effect_id", "effects"),
        sa.PrimaryKeyConstraint("effect_id", name="pk_answers"),
    )

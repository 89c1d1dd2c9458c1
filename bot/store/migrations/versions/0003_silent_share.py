"""The silent share: which issues stay untouched, with what probability; how the promise stands; counts of old rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("issues", sa.Column("silence", sa.Double(), nullable=True))
    op.add_column(
        "issues", sa.Column("silent", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index("ix_issues_repository_id_created_at", "issues", ["repository_id", "created_at"])
    op.create_table(
        "standings",
        sa.Column("repository_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.Column(
            "measured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["repositories.id"], name="fk_standings_repository_id_repositories"
        ),
        sa.PrimaryKeyConstraint("repository_id", name="pk_standings"),
    )
    op.create_table(
        "tallies",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("labels", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", "labels", name="pk_tallies"),
    )
    op.create_table(
        "tally_marks",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_tally_marks"),
    )

"""The first schema."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    _deliveries()
    _installations()
    _queue_migrations()
    _schedule_runs()
    _worker_beats()
    _repositories()
    _heads()
    _issues()
    _labels()
    _decisions()
    _label_events()
    _vectors()
    _effects()
    op.create_foreign_key(
        "fk_repositories_head_id_heads", "repositories", "heads", ["head_id"], ["id"]
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _stamp(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _refers(
    table: str, column: str, to: str, ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_{to}"
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _id(),
        sa.Column("target_id", sa.BigInteger(), nullable=False),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=True),
        sa.Column("installation_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _stamp("received_at"),
        sa.Column("status", sa.Text(), server_default="stored", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "status IN ('stored', 'ignored', 'done', 'failed')", name=op.f("ck_deliveries_status")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("target_id", "guid", name="uq_deliveries_target_id_guid"),
    )
    op.create_index("ix_deliveries_event_status", "deliveries", ["event", "status"])


def _installations() -> None:
    op.create_table(
        "installations",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("suspended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("write_interval", sa.Double(), server_default=sa.text("1.0"), nullable=False),
        sa.Column("next_write_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_installations"),
    )


def _queue_migrations() -> None:
    op.create_table(
        "queue_migrations",
        sa.Column("name", sa.Text(), nullable=False),
        _stamp("applied_at"),
        sa.PrimaryKeyConstraint("name", name="pk_queue_migrations"),
    )


def _schedule_runs() -> None:
    op.create_table(
        "schedule_runs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        _stamp("started_at"),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", "due_at", name="pk_schedule_runs"),
    )


def _worker_beats() -> None:
    op.create_table(
        "worker_beats",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=True),
        sa.Column("backend", sa.Text(), nullable=True),
        _stamp("seen_at"),
        sa.PrimaryKeyConstraint("worker", name="pk_worker_beats"),
    )


def _repositories() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.BigInteger(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("status", sa.Text(), server_default="new", nullable=False),
        sa.Column("history_cursor", sa.Text(), nullable=True),
        sa.Column("rules_text", sa.Text(), nullable=True),
        sa.Column("rules_etag", sa.Text(), nullable=True),
        sa.Column("rules_checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rules_error", sa.Text(), nullable=True),
        sa.Column("head_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "status IN ('new', 'learning', 'ready', 'paused', 'removed')",
            name=op.f("ck_repositories_status"),
        ),
        _refers("repositories", "installation_id", "installations"),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
    )
    op.create_index(
        "ix_repositories_full_name", "repositories", [sa.literal_column("lower(full_name)")]
    )
    op.create_index("ix_repositories_installation_id", "repositories", ["installation_id"])


def _heads() -> None:
    op.create_table(
        "heads",
        _id(),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("artefact", sa.LargeBinary(), nullable=False),
        sa.Column("expectation", JSONB(), nullable=False),
        _stamp("created_at"),
        sa.Column("reason", sa.Text(), nullable=False),
        _refers("heads", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name="pk_heads"),
        sa.UniqueConstraint("repository_id", "version", name="uq_heads_repository_id_version"),
    )


def _issues() -> None:
    op.create_table(
        "issues",
        _id(),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("github_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("as_filed", sa.Boolean(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("author_is_bot", sa.Boolean(), nullable=False),
        sa.Column("author_association", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("is_pull_request", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("labels", sa.ARRAY(sa.Text()), nullable=False),
        _refers("issues", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
        sa.UniqueConstraint("repository_id", "number", name="uq_issues_repository_id_number"),
    )


def _labels() -> None:
    op.create_table(
        "labels",
        _id(),
        sa.Column("repository_id", sa.BigInteger(), nullable=False),
        sa.Column("github_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("color", sa.Text(), server_default="ededed", nullable=False),
        sa.Column(
            "former_names", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        _refers("labels", "repository_id", "repositories"),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.UniqueConstraint("repository_id", "github_id", name="uq_labels_repository_id_github_id"),
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        _id(),
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("head_id", sa.BigInteger(), nullable=True),
        sa.Column("bundle", sa.Text(), nullable=False),
        _stamp("decided_at"),
        sa.CheckConstraint(
            "action IN ('apply', 'suggest', 'abstain')", name=op.f("ck_decisions_action")
        ),
        _refers("decisions", "delivery_id", "deliveries", ondelete="SET NULL"),
        _refers("decisions", "issue_id", "issues"),
        _refers("decisions", "head_id", "heads"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sa.UniqueConstraint(
            "issue_id", "delivery_id", "label", name="uq_decisions_issue_id_delivery_id_label"
        ),
    )
    op.create_index("ix_decisions_delivery_id", "decisions", ["delivery_id"])


def _label_events() -> None:
    op.create_table(
        "label_events",
        _id(),
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("added", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("github_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "actor_kind IN ('human', 'us', 'bot', 'form')", name=op.f("ck_label_events_actor_kind")
        ),
        _refers("label_events", "issue_id", "issues"),
        sa.PrimaryKeyConstraint("id", name="pk_label_events"),
        sa.UniqueConstraint("issue_id", "github_id", name="uq_label_events_issue_id_github_id"),
    )
    op.create_index("ix_label_events_issue_id_at", "label_events", ["issue_id", "at"])


def _vectors() -> None:
    op.create_table(
        "vectors",
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("text_version", sa.BigInteger(), nullable=False),
        sa.Column("embedding", VECTOR(), nullable=False),
        _refers("vectors", "issue_id", "issues", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issue_id", "bundle", "backend", "text_version", name="pk_vectors"),
    )


def _effects() -> None:
    op.create_table(
        "effects",
        _id(),
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("waited_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        _stamp("created_at"),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('add', 'remove', 'suggest', 'comment')", name=op.f("ck_effects_kind")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'done', 'failed', 'skipped')", name=op.f("ck_effects_status")
        ),
        _refers("effects", "decision_id", "decisions"),
        _refers("effects", "issue_id", "issues"),
        sa.PrimaryKeyConstraint("id", name="pk_effects"),
        sa.UniqueConstraint(
            "decision_id", "kind", "label", name="uq_effects_decision_id_kind_label"
        ),
    )
    op.create_index("ix_effects_issue_id", "effects", ["issue_id"])

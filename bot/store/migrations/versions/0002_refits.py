"""Refits of a head: what was tried, whether it serves, and why."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass

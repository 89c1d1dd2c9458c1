"""The silent share: which issues stay untouched, with what probability."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass

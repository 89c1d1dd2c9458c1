"""When GitHub changed an issue last: what is told late does not undo what was told since."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("issues", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))

"""What Alembic runs: migrations on the connection that `bot.store.migrate` hands over."""

from alembic import context

import bot.store.tables  # noqa: F401 - registers the models
from bot.store.base import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()

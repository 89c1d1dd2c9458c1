"""Alembic's folder: the history of the schema. Run by `bot.store.migrate`, never by hand."""

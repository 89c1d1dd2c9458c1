"""Retraining: from snapshots of the maintainers' truth to a promoted encoder. Imports `bot`, never the other way."""

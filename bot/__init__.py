"""Labelwright, the bot: webhook receiver, job pipeline, classifier. Never imports `training`, never needs torch."""

__version__ = "0.1.0"

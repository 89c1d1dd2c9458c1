"""The webhook receiver and its health. Never imports a model."""

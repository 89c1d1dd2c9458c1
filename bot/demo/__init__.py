"""Labelwright on your own machine: the real receiver, worker and database against the sandbox."""

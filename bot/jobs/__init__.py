"""The queue and the tasks. `pipeline` is the only place where stages meet."""

"""What the worker learns: histories, corrections, heads, and how they stand."""

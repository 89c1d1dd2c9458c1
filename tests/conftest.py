"""Fixtures live in `tests/fixtures`, one module per real part. No test is timed: a busy machine is no fault."""

import os

from hypothesis import settings

# Tests that run side by side inherit a width, which rich takes for good when it is first imported.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.bundle",
    "tests.fixtures.sandbox",
    "tests.fixtures.log",
    "tests.fixtures.context",
]

"""Fixtures live in `tests/fixtures`, one module per real part."""

import os

# Tests that run side by side inherit a width, which rich takes for good when it is first imported.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.bundle",
    "tests.fixtures.sandbox",
    "tests.fixtures.log",
    "tests.fixtures.context",
]

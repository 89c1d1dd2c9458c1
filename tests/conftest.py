"""Fixtures live in `tests/fixtures`, one module per real part."""

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.bundle",
    "tests.fixtures.sandbox",
    "tests.fixtures.log",
    "tests.fixtures.context",
]

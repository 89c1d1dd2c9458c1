"""The errors of the bot, drawn as a tree. What a worker does next follows from the class.

LabelwrightError
├── Ignore       nothing to do: the job ends well, the reason is stored
├── RetryLater   try again after `after` seconds; does not count as a failure of ours
├── GiveUp       will never work: the job ends as failed, the reason is stored, an operator is told
└── UserError    bad input from a person: the message names the key, file or label and says what to do
"""


class LabelwrightError(Exception):
    """Base of every error that Labelwright raises on purpose; `str()` of it may be shown and stored."""


class Ignore(LabelwrightError):
    """There is nothing to do, and that is fine."""


class RetryLater(LabelwrightError):
    """The world is not ready (rate limit, outage, token not replicated yet)."""

    def __init__(self, reason: str, *, after: float) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds to wait before the next try."""


class GiveUp(LabelwrightError):
    """No retry can help."""


class UserError(LabelwrightError):
    """Bad input. The message is for the person who gave it."""

"""Which issues the bot keeps silent on, so that what humans do there is not shaped by what it did.

The draw is a hash, not chance: the same issue is drawn the same way by whoever asks, however often.
Refuses to look at anything but the issue's id: a draw that knew the text could not be unbiased.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

ENOUGH = 30
"""Silent issues a month that make an estimate worth reading: enough to see .7 where .9 was promised."""
MOST = 0.2
"""Share up to which a small repository's is raised to reach `ENOUGH`; a bot that is silent on more
is of little use."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Whether an issue was drawn for silence, and the probability with which any issue was then."""

    silent: bool
    probability: float


def silent(github_issue_id: int, *, seed: int, share: float) -> bool:
    """Whether the issue is among the `share` on which nothing is said. `seed` is the repository's id, so
    that the draws of two repositories have nothing to do with each other."""
    digest = blake2b(f"{seed}:{github_issue_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def monthly_share(asked: float, *, issues: int) -> float:
    """The share that holds for a repository that had `issues` in the last 30 days.

    `asked` is what the rules say; 0 is 0. It is raised so that `ENOUGH` issues a month are silent, up
    to `MOST`; a repository that has not even that many issues keeps what was asked, for no share of
    so few would tell anything.
    """
    if asked <= 0 or issues < ENOUGH:
        return max(0.0, asked)
    return max(asked, min(ENOUGH / issues, MOST))


def draw(github_issue_id: int, *, seed: int, share: float) -> Draw:
    return Draw(silent(github_issue_id, seed=seed, share=share), share)

"""Rate limits: a budget of requests per caller and hour, told in the headers of every answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bot.sandbox.answers import refusal
from bot.sandbox.auth import Caller
from bot.sandbox.state import State

WINDOW = 3600
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)


@dataclass(slots=True)
class Budget:
    """What one caller has used, until `reset` (seconds since the epoch)."""

    reset: int
    used: int = 0
    writes: deque[float] = field(default_factory=deque)
    """When the caller wrote in the last minute."""


@dataclass(slots=True)
class RateLimits:
    """`limit` may be changed while the sandbox runs."""

    limit: int = 5000
    writes_per_minute: int | None = None
    """GitHub brakes at 80; None brakes never."""
    budgets: dict[str, Budget] = field(default_factory=dict)

    def budget(self, state: State, caller: Caller) -> Budget:
        now = int(state.now().timestamp())
        key = _key(caller)
        held = self.budgets.get(key)
        if held is None or held.reset <= now:
            held = self.budgets[key] = Budget(now + WINDOW)
        return held

    def check(self, budget: Budget, caller: Caller) -> None:
        """Refuse when nothing is left."""
        if budget.used >= self.limit:
            raise refusal(403, f"API rate limit exceeded for {_key(caller)}.")

    def check_write(self, budget: Budget, now: float) -> None:
        """Count a write; refuse when there were too many in the last minute."""
        while budget.writes and budget.writes[0] <= now - 60:
            budget.writes.popleft()
        if self.writes_per_minute is not None and len(budget.writes) >= self.writes_per_minute:
            wait = max(1, round(budget.writes[0] + 60 - now))
            raise refusal(403, SECONDARY, headers={"Retry-After": str(wait)})
        budget.writes.append(now)

    def headers(self, budget: Budget) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - budget.used)),
            "X-RateLimit-Used": str(budget.used),
            "X-RateLimit-Reset": str(budget.reset),
            "X-RateLimit-Resource": "core",
        }

    def overview(self, budget: Budget) -> dict[str, int]:
        return {
            "limit": self.limit,
            "used": budget.used,
            "remaining": max(0, self.limit - budget.used),
            "reset": budget.reset,
        }


def _key(caller: Caller) -> str:
    if caller.installation is not None:
        return f"installation ID {caller.installation.id}"
    if caller.app is not None:
        return f"app ID {caller.app.id}"
    return f"user ID {caller.account.id}" if caller.account else "an anonymous caller"

"""When a failed attempt is made again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator


class RetryDocument(TypedDict):
    """A `RetryPolicy` as it stands in a plan."""

    max_attempts: int
    initial_seconds: float
    backoff: float
    max_seconds: float
    jitter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and after which waits, a task is tried again.

    Every attempt carries the same idempotency key. Refusals, and replies that are not a
    JSON object, are never retried: the agent would only say the same again.
    """

    max_attempts: int = 3
    """Attempts in all, the first included."""
    initial_delay: timedelta = timedelta(milliseconds=500)
    backoff: float = 2.0
    """Each wait is this many times the one before."""
    max_delay: timedelta = timedelta(minutes=2)
    jitter: bool = True
    """Wait between half and all of the delay, so that many threads do not retry as one."""

    def problems(self) -> Iterator[str]:
        """What is wrong with these numbers, in words; nothing if all is well."""
        if self.max_attempts < 1:
            yield f"retry.max_attempts is {self.max_attempts}; it must be at least 1"
        if self.initial_delay < timedelta(0) or self.max_delay < timedelta(0):
            yield "a retry delay is negative; use zero or more"
        if self.backoff < 1:
            yield f"retry.backoff is {self.backoff}; it must be at least 1"

    def document(self) -> RetryDocument:
        """The policy as JSON."""
        return {
            "max_attempts": self.max_attempts,
            "initial_seconds": self.initial_delay.total_seconds(),
            "backoff": self.backoff,
            "max_seconds": self.max_delay.total_seconds(),
            "jitter": self.jitter,
        }


def retry_delay(policy: RetryDocument, attempt: int, *, seed: str) -> float:
    """Seconds to wait after failed attempt number `attempt` (1 for the first).

    The same seed gives the same wait, so that a decision can be taken again.
    """
    delay = min(
        policy["initial_seconds"] * policy["backoff"] ** (attempt - 1), policy["max_seconds"]
    )
    if policy["jitter"]:
        delay *= 0.5 + random.Random(f"{seed}:{attempt}").random() / 2  # noqa: S311  not a secret
    return delay

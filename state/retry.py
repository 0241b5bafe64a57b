"""When a failed attempt is made again."""

from __future__ import annotations

import math
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
        if type(self.max_attempts) is not int or self.max_attempts < 1:
            yield f"retry.max_attempts is {self.max_attempts!r}; it must be a whole number from 1"
        for name, delay in (("initial_delay", self.initial_delay), ("max_delay", self.max_delay)):
            if not isinstance(delay, timedelta) or delay < timedelta(0):
                yield f"retry.{name} is {delay!r}; it must be a timedelta, and not negative"
        if not isinstance(self.backoff, int | float) or not 1 <= self.backoff < math.inf:
            yield f"retry.backoff is {self.backoff!r}; it must be a number from 1"

    def document(self) -> RetryDocument:
        """The policy as JSON."""
        return {
            "max_attempts": self.max_attempts,
            "initial_seconds": self.initial_delay.total_seconds(),
            "backoff": self.backoff,
            "max_seconds": self.max_delay.total_seconds(),
            "jitter": bool(self.jitter),
        }


def retry_delay(policy: RetryDocument, attempt: int, *, seed: str) -> float:
    """Seconds to wait after failed attempt number `attempt` (1 for the first).

    The same seed gives the same wait, so that a decision can be taken again.
    """
    try:
        grown = policy["initial_seconds"] * policy["backoff"] ** (attempt - 1)
    except OverflowError:
        grown = math.inf
    delay = min(grown, policy["max_seconds"])
    if policy["jitter"]:
        delay *= 0.5 + random.Random(f"{seed}:{attempt}").random() / 2  # noqa: S311  not a secret
    return delay

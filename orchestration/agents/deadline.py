"""How long a call may take."""

from __future__ import annotations

import math
import time

from state.errors import AgentNotStartedError


def seconds_left(deadline: float | None, *, longest: float = math.inf) -> float:
    """Return how long a call may take from now on.

    A call whose deadline is past is not made, and so surely did not begin: where it may be
    tried again with more time, that may be anywhere.

    Args:
        deadline: When the caller stops waiting, seconds since the epoch; None if it never does.
        longest: Seconds that a call may take in any case.

    Raises:
        AgentNotStartedError: The deadline is past.
    """
    if deadline is None:
        return longest
    left = deadline - time.time()
    if left <= 0:
        raise AgentNotStartedError(
            f"the deadline passed {-left:.1f} s before the call could be made; nothing was sent"
        )
    return min(left, longest)

"""Whether a call that failed at one endpoint may be made at another; pure."""

from __future__ import annotations

from state.errors import AgentError, AgentRateLimitedError, AgentRefusedError


def is_endpoints_fault(error: Exception) -> bool:
    """Whether a failure says something against the endpoint's health.

    An agent's refusal does not, and of too many calls the endpoint takes care itself.
    """
    return not isinstance(error, AgentRefusedError | AgentRateLimitedError)


def may_have_started(error: Exception) -> bool:
    """Whether the agent may have acted; of what is no `AgentError`, nobody knows."""
    return not isinstance(error, AgentError) or error.may_have_started


def may_go_elsewhere(error: Exception, *, may_repeat: bool) -> bool:
    """Whether another endpoint may be asked for the same.

    Args:
        error: How the call ended.
        may_repeat: Whether the agent changes nothing, or its endpoints together recognise
            the idempotency key.
    """
    if isinstance(error, AgentRefusedError):
        return False
    return may_repeat or not may_have_started(error)

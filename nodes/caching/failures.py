"""Errors of a call that others wait for: whose they are, and how they cross processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langgraph.errors import GraphBubbleUp

from nodes.caching.entry import is_number
from nodes.stop_signal import CancelledByStopError
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentOverloadedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    AgentUnavailableError,
    LeaseLostError,
    SharedCallError,
    UnknownReplyError,
)
from state.outcome import error_record

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_ONE_CALLER: Final = (GraphBubbleUp, LeaseLostError, CancelledByStopError)
"""About the thread that made the call; others make their own."""
NOT_TO_BE_HIDDEN: Final = (*OF_ONE_CALLER, AgentRefusedError, AgentAuthError)
"""No old answer stands in for these: the agent works, and says no."""

_FAMILY: Final[dict[str, type[AgentError]]] = {
    kind.__name__: kind
    for kind in (
        AgentError,
        AgentRefusedError,
        AgentTimeoutError,
        UnknownReplyError,
        SharedCallError,
        AgentNotStartedError,
        AgentRateLimitedError,
        AgentOverloadedError,
        AgentAuthError,
        AgentUnavailableError,
    )
}


def failure_document(error: Exception) -> dict[str, Any]:
    """Describe an error as JSON, so that another process can raise it."""
    record = error_record(error)
    if isinstance(error, TimeoutError):
        error = AgentTimeoutError(record["message"])
    kind = next((each for each in type(error).__mro__ if _FAMILY.get(each.__name__) is each), None)
    if kind is None:
        message = f"{record['type']}: {record['message']}"
        return {"type": SharedCallError.__name__, "message": message, "retry_after": None}
    return {
        "type": kind.__name__,
        "message": record["message"],
        "retry_after": getattr(error, "retry_after", None),
    }


def failure_in(document: Mapping[str, Any]) -> AgentError:
    """The error that another process described, whatever it wrote."""
    if not isinstance(document, dict):
        return SharedCallError("the call failed, and nobody can read how")
    message = str(document.get("message", ""))
    kind = _FAMILY.get(str(document.get("type")), SharedCallError)
    if not issubclass(kind, AgentNotStartedError):
        return kind(message)
    retry_after = document.get("retry_after")
    return kind(message, retry_after=retry_after if is_number(retry_after) else None)

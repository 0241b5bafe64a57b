"""What goes wrong at the client's side of A2A, in the project's terms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import httpx
from a2a.client.errors import A2AClientError, A2AClientTimeoutError
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    ExtensionSupportRequiredError,
    InvalidAgentResponseError,
    InvalidParamsError,
    InvalidRequestError,
    JSONParseError,
    MethodNotFoundError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)

from orchestration.a2a.values import MalformedError
from orchestration.agents.http_errors import retry_after_in
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)

if TYPE_CHECKING:
    from orchestration.agents.headers import Filled

FAULTS: Final = (
    A2AError,
    httpx.HTTPError,
    MalformedError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    SystemError,
)
"""What the client of the SDK raises, also for answers that make no sense; the last comes from
protocol buffers, for a key that is no text."""
_NO_CONNECTION = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REFUSALS = (ContentTypeNotSupportedError, InvalidParamsError, UnsupportedOperationError)
_MISMATCHES = (
    ExtensionSupportRequiredError,
    InvalidRequestError,
    JSONParseError,
    MethodNotFoundError,
    VersionNotSupportedError,
)
_BUSY, _UNAVAILABLE, _SERVER_ERRORS = 429, 503, 500
_NO_ENTRY = frozenset({401, 403, 407})
_LONGEST = 500
_ADVICE = re.compile(r" For more information check: https://\S+")
"""What httpx says of every status."""


def translated(error: Exception, *, agent: str, begun: bool, given: Filled) -> AgentError:
    """Return what an error of the SDK's client means.

    Args:
        error: One of `FAULTS`.
        agent: How to call the agent.
        begun: Whether the agent was given the task before, so that whatever is wrong now says
            nothing of whether it acts.
        given: What was sent as headers; its secrets do not stand in the message.
    """
    said = f"the agent at {agent}: {given.hide_in(_words(error))}"
    if begun:
        return AgentError(f"{said}; its task may go on there")
    cause = _http_cause(error)
    if isinstance(cause, httpx.HTTPStatusError):
        return _of_status(cause.response, said) or _of_class(error, said)
    if isinstance(cause, _NO_CONNECTION):
        return AgentNotStartedError(said)
    if isinstance(cause, httpx.TimeoutException) or isinstance(error, A2AClientTimeoutError):
        return AgentTimeoutError(said)
    if isinstance(cause, httpx.RequestError):
        return AgentError(f"{said}; it may have acted all the same")
    return _of_class(error, said)


def _of_status(response: httpx.Response, said: str) -> AgentError | None:
    """What an HTTP status means; None where the body may say it better."""
    status = response.status_code
    if status in _NO_ENTRY:
        return AgentAuthError(f"{said}; check the `headers` of its settings")
    if status == _BUSY:
        return AgentRateLimitedError(said, retry_after=retry_after_in(response.headers))
    if status == _UNAVAILABLE:
        return AgentNotStartedError(said, retry_after=retry_after_in(response.headers))
    return None


def _of_class(error: Exception, said: str) -> AgentError:
    """What an error means by its class, or else by the HTTP status that came with it."""
    if isinstance(error, _REFUSALS):
        return AgentRefusedError(said)
    if isinstance(error, _MISMATCHES):
        return AgentNotStartedError(said)
    cause = _http_cause(error)
    if isinstance(cause, httpx.HTTPStatusError):
        refused = cause.response.status_code < _SERVER_ERRORS
        return AgentNotStartedError(said) if refused else AgentError(said)
    return AgentError(said) if _is_answer(error) else UnknownReplyError(said)


def _is_answer(error: Exception) -> bool:
    """Whether the agent said itself that it failed, and did not just babble."""
    if isinstance(error, A2AClientError):  # also for codes that the SDK has no class for
        return str(error).startswith(("JSON-RPC Error", "SSE stream error"))
    return isinstance(error, A2AError) and not isinstance(error, InvalidAgentResponseError)


def _http_cause(error: BaseException) -> httpx.HTTPError | None:
    """The error of the HTTP client that an error came from."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, httpx.HTTPError):
            return seen
        seen = seen.__cause__
    return None


def _words(error: Exception) -> str:
    words = _ADVICE.sub("", " ".join(str(error).split()))
    return words[:_LONGEST] or type(error).__name__

"""What errors of Google's clients say: whether a call began, whether it may be made again.

The clients raise errors of half a dozen libraries, some wrapped in each other. Each is brought
down to a status, as of HTTP, with a reason and a text, and from that to one of ours:

| what happened | error |
|---|---|
| no connection; no token to be had now; 404, 501 | `AgentNotStartedError` |
| 401, 403; credentials that are not there or not accepted | `AgentAuthError` |
| 429 | `AgentRateLimitedError`, with `Retry-After` or Google's `RetryInfo` |
| 400 and others up to 499 | `AgentRefusedError` |
| 400 `FAILED_PRECONDITION` (on Agent Engine, its agent raised); 409, 499 | `AgentError` |
| 408, 504; no answer in time | `AgentTimeoutError` |
| something else than the clients can read, or too much of it | `UnknownReplyError` |
| 5xx, a connection that broke, anything else | `AgentError` |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.agents.google_answers import Answer, answer_of, shortened, text_of
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
    from collections.abc import Iterable, Iterator

    from google.auth.exceptions import GoogleAuthError

LARGEST_REPLY: Final = 32 * 2**20
"""Bytes of one reply; more is refused, so that a broken agent cannot fill the memory."""
_UNREACHABLE: Final = re.compile(
    r"failed to connect to all addresses|connections to all backends failing"
    r"|DNS resolution failed|name resolution failure",
    re.IGNORECASE,
)
"""How gRPC says that a call had no connection to go out by."""
_UNREADABLE: Final = re.compile(
    r"Exception deserializing response|Received message larger than max"
)
"""How it says that an answer was none, or too much of one; that as if of a limit on calls."""
_NO_CONNECTION: Final = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "NewConnectionError",
        "PoolTimeout",
        "ProxyError",
        "SSLCertVerificationError",
    }
)
"""Of httpx, httpx2, requests and urllib3; and of ssl, for a certificate that is not good."""
_SLOW: Final = frozenset(
    {"ReadTimeout", "ReadTimeoutError", "WriteTimeout", "TimeoutException", "Timeout"}
)
_HTTP_LIBRARIES: Final = frozenset({"httpx", "httpx2", "httpcore", "requests", "ssl", "urllib3"})
_UNEXPECTED: Final = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What the clients raise where an answer has another form than they expect."""
_BY_STATUS: Final = {
    401: AgentAuthError,
    403: AgentAuthError,
    404: AgentNotStartedError,
    408: AgentTimeoutError,
    409: AgentError,
    499: AgentError,
    501: AgentNotStartedError,
    504: AgentTimeoutError,
}


class OversizeError(ValueError):
    """Raised where a reply is larger than `LARGEST_REPLY`."""

    def __init__(self) -> None:
        super().__init__(f"the reply is larger than {LARGEST_REPLY} bytes")


class PackedError(ValueError):
    """Raised where a reply is packed, so that nobody knows how large it is."""

    def __init__(self, coding: str) -> None:
        super().__init__(f"the reply is packed ({coding[:40]!r}), though nobody asked for that")


def agent_error(error: Exception, *, at: str) -> AgentError:
    """Say an error of Google's clients as one of ours.

    Args:
        error: Whatever was raised while an agent was asked.
        at: The resource, to be named in the message.
    """
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415  heavy

    if isinstance(error, AgentError):
        return error
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, GoogleAuthError):
            return token_error(each)
    for answer in filter(None, map(answer_of, chain)):
        return _from_answer(answer, at)
    return _from_connection(chain, at) or AgentError(
        f"{at} failed: {type(error).__name__}: {text_of(error)}"
    )


def token_error(error: GoogleAuthError) -> AgentNotStartedError:
    """Say as one of ours why there is no token."""
    from google.auth import exceptions  # noqa: PLC0415  heavy

    unreachable = isinstance(error, exceptions.TransportError | exceptions.TimeoutError)
    text = shortened(str(error.args[0] if error.args else error))  # the rest: whole answers
    if unreachable or getattr(error, "retryable", False):
        return AgentNotStartedError(f"there is no token from Google now: {text}")
    return AgentAuthError(f"Google's credentials are not accepted: {text}")


def _from_answer(answer: Answer, at: str) -> AgentError:
    """Map what the service said, or gRPC in its place."""
    said = f"{at} says {answer.status} {answer.reason}".rstrip() + f": {answer.text}"
    if _UNREACHABLE.search(answer.text):
        return AgentNotStartedError(f"{at} cannot be reached: {answer.text}")
    if _UNREADABLE.search(answer.text):
        return UnknownReplyError(f"{at} answered with something unknown: {answer.text}")
    if answer.status == 429:  # noqa: PLR2004  of HTTP
        return AgentRateLimitedError(said, retry_after=answer.retry_after)
    return _kind_of(answer)(said)


def _kind_of(answer: Answer) -> type[AgentError]:
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    is_refusal = 400 <= answer.status < 500 and answer.reason != "FAILED_PRECONDITION"  # noqa: PLR2004
    return AgentRefusedError if is_refusal else AgentError


def _from_connection(chain: Iterable[BaseException], at: str) -> AgentError | None:
    """Map what went wrong on the way, or with reading what came."""
    if (text := _first(chain, _NO_CONNECTION)) is not None:
        return AgentNotStartedError(f"{at} cannot be reached: {text}")
    if (text := _first(chain, _SLOW)) is not None:
        return AgentTimeoutError(f"{at} did not answer in time: {text}")
    for each in chain:
        if isinstance(each, _UNEXPECTED):
            said = f"{type(each).__name__}: {text_of(each)}"
            return UnknownReplyError(f"{at} answered with something unknown: {said}")
    return None


def _first(chain: Iterable[BaseException], names: frozenset[str]) -> str | None:
    """The text of the first error of an HTTP library that has one of these names."""
    for each in chain:
        kinds = type(each).__mro__
        is_http = any(kind.__module__.partition(".")[0] in _HTTP_LIBRARIES for kind in kinds)
        if is_http and names & {kind.__name__ for kind in kinds}:
            return text_of(each)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it comes from; of requests also what it only has as its argument."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        # not `__context__`: that may be what another endpoint failed with just before
        waiting += [each.__cause__, getattr(each, "reason", None), *each.args]

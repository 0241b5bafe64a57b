"""What the answers of HTTP agents mean that are no replies."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

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
    from state.jsonvalue import JsonObject

LONGEST_WAIT: Final = 86400.0
"""Seconds of `Retry-After` that are believed."""
_LONGEST_MESSAGE: Final = 500
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_AUTH: Final = frozenset({401, 403, 407})
_TIMED_OUT: Final = frozenset({408, 504})
_NO_AGENT: Final = frozenset({404, 405, 410, 421})
"""Nobody there does such work; another endpoint may."""
IN_PROGRESS: Final = "in_progress"
"""Code of an error: a call with the same key is under way there."""


class ErrorBody(NamedTuple):
    """What an answer's body says of an error."""

    message: str = ""
    code: str = ""
    is_ours: bool = False
    """Whether it has the shape that `docs/http-agents.md` describes."""
    started: bool | None = None
    """Whether work began, if it says so."""


def error_body(body: object) -> ErrorBody:
    """Read `{"error": {"message": …, "code": …, "started": …}}`, or what others write."""
    if not isinstance(body, Mapping):
        return ErrorBody()
    error = body.get("error")
    if isinstance(error, Mapping) and isinstance(error.get("message"), str):
        started = error.get("started")
        return ErrorBody(
            message=error["message"][:_LONGEST_MESSAGE],
            code=str(error.get("code") or "")[:_LONGEST_MESSAGE],
            is_ours=True,
            started=started if isinstance(started, bool) else None,
        )
    for name in ("error", "detail", "message", "title"):
        if isinstance(said := body.get(name), str) and said:
            return ErrorBody(message=said[:_LONGEST_MESSAGE])
    return ErrorBody()


def error_of(
    status: int, said: ErrorBody, *, where: str, retry_after: float | None = None
) -> AgentError:
    """Return the error for an answer that is no reply.

    Args:
        status: Of the answer, or that an event of a stream gives.
        said: What its body says.
        where: Who answered, for the message.
        retry_after: Seconds, if its headers say so.
    """
    message = f"{where} answered {status}{_phrase(status)}"
    message += f": {said.message}" if said.message else ""
    if status < HTTPStatus.BAD_REQUEST:
        return UnknownReplyError(f"{message}, which is no reply; redirects are not followed")
    if _surely_not_begun(status, said):
        return _not_begun(status, message, retry_after)
    if status in _TIMED_OUT:
        return AgentTimeoutError(f"{message}; it may have acted all the same")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or said.code == IN_PROGRESS:
        return AgentError(message)
    return AgentRefusedError(message)


def _surely_not_begun(status: int, said: ErrorBody) -> bool:
    """Whether it is said that no work began, other than by a refusal.

    503 alone does not say so, not even with a time to wait: something between here and there may
    have sent the request on before it gave up.
    """
    if status in _AUTH or status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return said.started is False
    return status in _NO_AGENT and not said.is_ours


def _not_begun(status: int, message: str, retry_after: float | None) -> AgentNotStartedError:
    if status in _AUTH:
        return AgentAuthError(f"{message}; check the credentials in its headers")
    if status == HTTPStatus.TOO_MANY_REQUESTS or retry_after is not None:
        return AgentRateLimitedError(message, retry_after=retry_after)
    return AgentNotStartedError(message)


def retry_after_in(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` gives, as seconds or as a date."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_WAIT)
    try:
        then = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, then - time.time()), LONGEST_WAIT)


def event_error(event: JsonObject, *, where: str) -> AgentError:
    """Return the error of an event `error` in a stream: `{"status": …, "error": {…}}`."""
    status = event.get("status")
    if not isinstance(status, int) or status < HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    return error_of(int(status), error_body(event), where=where)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""

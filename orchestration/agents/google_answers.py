"""What the service itself says with an error, whichever of Google's clients raised it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from orchestration.agents.http_errors import LONGEST_WAIT

_STATUS_OF_GRPC: Final = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
_LONGEST: Final = 1000


class Answer(NamedTuple):
    """An error that the service gave."""

    status: int
    reason: str
    """Google's name of it, e.g. `FAILED_PRECONDITION`; or empty."""
    text: str
    retry_after: float | None


def answer_of(error: BaseException) -> Answer | None:
    """Read an error of the service, whichever client raised it."""
    code = getattr(error, "code", None)
    if callable(code):
        return _answer_of_grpc(error, code())
    if isinstance(code, int) and hasattr(error, "details"):
        details = error.details
        return Answer(
            status=int(code),
            reason=_reason(error),
            text=shortened(getattr(error, "message", None) or str(error)),
            retry_after=_retry_after(getattr(error, "response", None), details),
        )
    return _answer_of_langchain(error)


def _answer_of_grpc(error: BaseException, code: object) -> Answer | None:
    """Read an error of gRPC's own that no client of Google's has made its own."""
    name = getattr(code, "name", None)
    if not isinstance(name, str):
        return None
    details = getattr(error, "details", None)
    text = details() if callable(details) else str(error)
    return Answer(_STATUS_OF_GRPC.get(name, 500), name, shortened(str(text)), None)


def _answer_of_langchain(error: BaseException) -> Answer | None:
    """Read LangChain's own classes, for errors that hide where they came from."""
    from langchain_core import exceptions  # noqa: PLC0415  heavy

    statuses: dict[type[Exception], int] = {
        exceptions.ModelAuthenticationError: 401,
        exceptions.ModelPermissionDeniedError: 403,
        exceptions.ModelNotFoundError: 404,
        exceptions.ModelRateLimitError: 429,
        exceptions.ModelTimeoutError: 504,
        exceptions.ContextOverflowError: 400,
        exceptions.ModelInvalidRequestError: 400,
    }
    if error.__cause__ is not None:  # which says more
        return None
    for kind, status in statuses.items():
        if isinstance(error, kind):
            return Answer(status, "", text_of(error), None)
    return None


def _reason(error: BaseException) -> str:
    """Google's name of an error."""
    grpc_code = getattr(getattr(error, "grpc_status_code", None), "name", None)
    status = getattr(error, "status", None)
    said = (grpc_code, status, _reason_in(getattr(error, "response", None)))
    return next((each for each in said if isinstance(each, str)), "")


def _reason_in(response: object) -> object:
    """Google's name of an error in a response; api-core only keeps what belongs to the status."""
    try:
        content = response.json()  # type: ignore[attr-defined]  # what has none ends below
        return content["error"]["status"]
    except (AttributeError, TypeError, KeyError, ValueError):
        return None


def _retry_after(response: object, details: object) -> float | None:
    """In how many seconds one may come again, as far as that is believed."""
    said = _said_to_wait(response, details)
    return None if said is None else min(max(0.0, said), LONGEST_WAIT)


def _said_to_wait(response: object, details: object) -> float | None:
    """What the headers say, else Google's details."""
    headers = getattr(response, "headers", None)
    said = headers.get("retry-after") if isinstance(headers, Mapping) else None
    if isinstance(said, str) and (seconds := _seconds_of_header(said)) is not None:
        return seconds
    return next(filter(None, map(_seconds_of_detail, _details(details))), None)


def _details(found: object) -> Iterable[object]:
    """The details of an error, as a list of messages or of JSON."""
    if isinstance(found, Mapping):
        inner = found.get("error", found)
        found = inner.get("details") if isinstance(inner, Mapping) else None
    return found if isinstance(found, list | tuple) else ()


def _seconds_of_detail(detail: object) -> float | None:
    """Read a `google.rpc.RetryInfo`, as JSON or as a message."""
    if isinstance(detail, Mapping):
        said = detail.get("retryDelay")
        found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)s", said) if isinstance(said, str) else None
        return float(found[1]) if found else None
    delay: Any = getattr(detail, "retry_delay", None)
    total = getattr(delay, "ToTimedelta", None)
    return float(total().total_seconds()) if callable(total) else None


def _seconds_of_header(text: str) -> float | None:
    """Read a `Retry-After`: seconds, or a date."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def text_of(error: BaseException) -> str:
    """What an error says, of no more than bearable length."""
    return shortened(str(error) or type(error).__name__)


def shortened(text: str) -> str:
    """Cut a text to a bearable length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

"""What is said to HTTP agents, and how their replies are read; see `docs/http-agents.md`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

import httpx
from httpx_sse import EventSource

from orchestration.agents.http_errors import error_body, error_of, event_error, retry_after_in
from state.errors import AgentError, UnknownReplyError
from state.jsonvalue import NotJsonError, json_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

LARGEST_REPLY: Final = 8 * 1024 * 1024
"""Bytes, of a reply or of all events of a stream."""
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_SAFE: Final = "!#$&'()*+,/:;=?@[]^`{|}~<>\"\\"


def request_body(input_data: JsonObject, context: AgentContext, *, seconds: float) -> bytes:
    """Return the body of the request for a task."""
    told = {
        "task_id": context.task_id,
        "thread_id": context.thread_id,
        "run_id": context.run_id,
        "attempt": context.attempt,
        "idempotency_key": context.idempotency_key,
        "remaining_seconds": seconds,
        "upstream": dict(context.upstream),
        "history": list(context.history),
        "tenant": context.tenant,
        "user": context.user,
        "tags": list(context.tags),
    }
    return json.dumps({"input": input_data, "context": told}, ensure_ascii=False).encode()


def request_headers(context: AgentContext, *, seconds: float) -> dict[str, str]:
    """Return the headers of the request for a task, without those that the user sets."""
    return {
        "Content-Type": _JSON,
        "Accept": f"{_EVENTS}, {_JSON}" if context.streams else _JSON,
        "Accept-Encoding": "identity",  # what is unpacked could be of any size
        "Idempotency-Key": quote(context.idempotency_key, safe=_SAFE),
        "X-Deadline-Seconds": f"{seconds:.3f}",
    }


async def read_reply(response: httpx.Response, context: AgentContext, *, where: str) -> JsonObject:
    """Read the reply, or raise what the answer means instead.

    Raises:
        AgentError: Of the kind that fits.
        httpx.HTTPError: The connection broke.
    """
    refuse_packed(response, where)
    response.stream = Bounded(cast("httpx.AsyncByteStream", response.stream), where)
    if not response.is_success:
        raise await _error_in(response, where=where)
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() == _EVENTS:
        return await _read_events(response, context, where=where)
    return _parsed(await response.aread(), where)


def refuse_packed(response: httpx.Response, where: str) -> None:
    """Refuse an answer whose size is not known before it is unpacked.

    Raises:
        UnknownReplyError: It is packed.
    """
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnknownReplyError(f"{where} answered packed ({encoding[:40]!r}), though not asked to")


async def _error_in(response: httpx.Response, *, where: str) -> AgentError:
    try:
        said = error_body(_parsed(await response.aread(), where))
    except (UnknownReplyError, httpx.HTTPError):  # the status says enough
        said = error_body(None)
    return error_of(
        response.status_code, said, where=where, retry_after=retry_after_in(response.headers)
    )


async def _read_events(
    response: httpx.Response, context: AgentContext, *, where: str
) -> JsonObject:
    """Pass on the text of `piece` events, up to the `reply` or the `error`."""
    pieces: list[str] = []
    async for event in EventSource(response).aiter_sse():
        if event.event == "piece":
            text = _parsed(event.data, where).get("text")
            if not isinstance(text, str):
                raise UnknownReplyError(f"{where} sent a piece without a text")
            pieces.append(text)
            context.emit(text)
        elif event.event == "reply":
            reply = _parsed(event.data, where)
            return (
                reply if "content" in reply or not pieces else {"content": "".join(pieces), **reply}
            )
        elif event.event == "error":
            raise event_error(_parsed(event.data, where), where=where)
    raise AgentError(
        f"{where} ended its answer after {len(pieces)} pieces, without the reply; "
        "it may have acted all the same"
    )


def _parsed(text: str | bytes, where: str) -> JsonObject:
    try:
        return json_object(json.loads(text), at="it")
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, NotJsonError) else "it is no JSON"
        raise UnknownReplyError(
            f"{where} answered something else than a JSON object: {why}"
        ) from error


class Bounded(httpx.AsyncByteStream):
    """The bytes of an answer; raises `UnknownReplyError` after as many as a reply may have."""

    def __init__(self, stream: httpx.AsyncByteStream, where: str) -> None:
        self._stream = stream
        self._where = where

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in self._stream:
            total += len(chunk)
            if total > LARGEST_REPLY:
                raise UnknownReplyError(
                    f"{self._where} answered more than {LARGEST_REPLY} bytes, the most there may be"
                )
            yield chunk

    async def aclose(self) -> None:
        """Close the stream that is read."""
        await self._stream.aclose()

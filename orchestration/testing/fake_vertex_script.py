"""What a fake Vertex AI says and does, and what it got."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject, JsonValue

PATIENCE: Final = 30.0
"""Seconds after which the fake goes on by itself, so that no test hangs for ever."""
REASONS: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's names of errors, by the status of HTTP."""
QUERY: Final = {"type": "object", "properties": {"input": {"type": "object"}}}
METHODS: Final = (
    {"name": "query", "api_mode": "", "parameters": QUERY},
    {"name": "stream_query", "api_mode": "stream", "parameters": QUERY},
)
"""The methods of an agent made with LangChain's template, more or less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer.

    Args:
        pieces: The text, as it is streamed.
        value: JSON instead of text: a prediction, an output of an agent.
        usage: Input and output tokens; None reports none.
        finish_reason: Of Gemini, e.g. `MAX_TOKENS`.
        block_reason: Of Gemini, for a prompt that it does not take, e.g. `SAFETY`; then there is no
            text.
        block_message: What it says about that.
        held_after: After so many pieces it waits for `release`; an answer in one piece waits too.
        broken_after: After so many pieces the connection ends; an answer in one piece never comes.
    """

    pieces: tuple[str, ...] = ("well",)
    value: JsonValue = None
    usage: tuple[int, int] | None = None
    finish_reason: str = "STOP"
    block_reason: str | None = None
    block_message: str = ""
    held_after: int | None = None
    broken_after: int | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error, as Google says it; `retry_after` goes where the transport has it."""

    status: int
    """Of HTTP; gRPC gets what belongs to it."""
    reason: str = ""
    """Google's name of it; the usual one of the status if empty."""
    message: str = "the fake was told to fail"
    retry_after: float | None = None
    in_header: bool = True
    """Whether REST says `retry_after` as a header, or as a detail as Google itself does."""
    location: str | None = None
    """Where a redirection of REST leads, for a status from 300 to 399."""


@dataclass(frozen=True, slots=True)
class Nonsense:
    """Something that is no answer."""


Act: TypeAlias = Reply | Failure | Nonsense


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request."""

    transport: str
    """`rest` or `grpc`."""
    method: str
    """E.g. `generateContent`, `predict`, `query`, `get`."""
    resource: str
    body: JsonObject
    """The request as JSON, in Google's spelling."""
    headers: Mapping[str, str] = field(repr=False)
    """Of HTTP, or the metadata of gRPC; names in small letters."""
    remaining_seconds: float | None = None
    """How long the caller waits, if it said so."""

    @property
    def token(self) -> str:
        """The token that it came with; empty if it had none."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def texts(self) -> list[str]:
        """What was said to a chat model, part by part; or the prompt; or an agent's messages."""
        contents = self.body.get("contents")
        if isinstance(contents, list):
            return [part.get("text", "") for each in _any(contents) for part in each["parts"]]
        instances = self.body.get("instances")
        if isinstance(instances, list):
            return [str(_any(each).get("prompt")) for each in instances]
        given = _any(self.body.get("input") or {})
        given = given.get("input", given)
        return [str(each.get("content")) for each in given.get("messages", ())]


def _any(value: object) -> Any:  # noqa: ANN401  JSON of a known form
    return value


class Script:
    """What the fake does; used by its threads and by the test at once."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.probed: list[Received] = []
        """Requests that ask for nothing: counts of tokens, descriptions of agents."""
        self.act: Act | Callable[[Received], Act] = Reply()
        """What is done with requests that `once` has nothing for."""
        self.tokens: list[str] | None = None
        """The tokens that are accepted; None accepts any, and none at all."""
        self.methods: list[JsonObject] = [dict(each) for each in METHODS]  # type: ignore[arg-type]
        """What agents have, as Agent Engine describes it."""
        self.left_early = 0
        """How many callers went before they had their answer."""
        self._next: deque[Act] = deque()
        self._changed = threading.Condition()
        self._released: Future[None] = Future()

    def once(self, *acts: Act) -> None:
        """Do these with the next requests, one each."""
        self._next.extend(acts)

    def release(self) -> None:
        """Go on with all that is held, and hold nothing any more."""
        if not self._released.done():
            self._released.set_result(None)

    @property
    def released(self) -> Future[None]:
        """Done once it was released."""
        return self._released

    def wait_until(self, done: Callable[[Script], bool]) -> bool:
        """Wait, not for ever, until something of it has changed so; False if it did not."""
        with self._changed:
            return self._changed.wait_for(lambda: done(self), PATIENCE)

    def enter(self, received: Received) -> Act:
        """Note a request, and return what is to be done with it."""
        if self.tokens is not None and received.token not in self.tokens:
            return Failure(status=401, message="the request had no valid credentials")
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()
            if self._next:
                return self._next.popleft()
        return self.act(received) if callable(self.act) else self.act

    def probe(self, received: Received) -> Failure | None:
        """Note a request that asks for nothing."""
        self.probed.append(received)
        if self.tokens is not None and received.token not in self.tokens:
            return Failure(status=401, message="the request had no valid credentials")
        return None

    def leave_early(self) -> None:
        """Note that a caller has gone."""
        with self._changed:
            self.left_early += 1
            self._changed.notify_all()

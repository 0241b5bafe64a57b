"""Tools with a backend that takes many calls at once: calls within a window go as one."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from orchestration.optimizer.calling import call
from orchestration.optimizer.tool_calls import canonical
from state.errors import ConfigurationError, ToolBackendError

if TYPE_CHECKING:
    from collections.abc import Mapping

LoadMany = Callable[[list[dict[str, Any]]], Awaitable[Sequence[Any]] | Sequence[Any]]
"""Gets the arguments of several calls; returns, in the same order, each one's result or error."""

DEFAULT_WINDOW_SECONDS: Final = 0.002
DEFAULT_BATCH_SIZE: Final = 100


@dataclass(slots=True)
class _Entry:
    """One call of the backend, and who waits for it."""

    arguments: dict[str, Any]
    waiters: list[asyncio.Future[Any]] = field(default_factory=list)


@dataclass(slots=True)
class _Window:
    """The calls of one event loop that wait to be sent, and the batches under way."""

    entries: dict[object, _Entry] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    batches: set[asyncio.Task[None]] = field(default_factory=set)


class Batchable:
    """A tool whose calls go to its backend together.

    Calls that come within a window become one backend call, also those of different tasks and
    runs of one event loop. Nothing is remembered from one window to the next. A caller that is
    cancelled does not cancel the batch.

    Args:
        load_many: The backend; async, or sync for a thread. An exception among its results is
            raised to that call alone; one that it raises itself, to every call of the batch. It
            runs without the context variables of any one caller.
        max_size: Calls that go at once; a full batch does not wait for its window to end.
        window_seconds: How long the first call waits for others.
        read_only: Whether equal calls within a window may be one: not for what acts.

    Raises:
        ConfigurationError: A setting cannot be.
    """

    def __init__(
        self,
        load_many: LoadMany,
        *,
        max_size: int = DEFAULT_BATCH_SIZE,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        read_only: bool = False,
    ) -> None:
        if max_size < 1:
            raise ConfigurationError(f"max_size is {max_size}; give at least 1")
        if not 0 <= window_seconds < threading.TIMEOUT_MAX:
            raise ConfigurationError(
                f"window_seconds is {window_seconds}; give seconds from 0 on, e.g. 0.002"
            )
        self._load_many = load_many
        self._max_size = max_size
        self._window_seconds = window_seconds
        self.read_only = read_only
        self._lock = threading.Lock()
        self._windows: WeakKeyDictionary[asyncio.AbstractEventLoop, _Window] = WeakKeyDictionary()

    async def __call__(self, **arguments: Any) -> Any:  # noqa: ANN401  whatever the backend says
        """Call the tool."""
        return await self.load(arguments)

    async def load(self, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
        """Return the result for one call's arguments, or raise its error.

        Raises:
            ToolBackendError: The backend answered for more or fewer calls than it got.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            window = self._windows.setdefault(loop, _Window())
        waiter: asyncio.Future[Any] = loop.create_future()
        self._enter(window, dict(arguments), waiter)
        if len(window.entries) >= self._max_size:
            self._send(window)
        elif window.timer is None:
            window.timer = loop.call_later(self._window_seconds, self._send, window)
        return await waiter

    def _enter(
        self, window: _Window, arguments: dict[str, Any], waiter: asyncio.Future[Any]
    ) -> None:
        key: object = canonical(arguments) if self.read_only else None
        entry = _Entry(arguments)
        window.entries.setdefault(id(entry) if key is None else key, entry).waiters.append(waiter)

    def _send(self, window: _Window) -> None:
        """Begin a batch with what waits and is still wanted."""
        if window.timer is not None:
            window.timer.cancel()
        entries, window.entries, window.timer = [*window.entries.values()], {}, None
        wanted = [each for each in entries if not all(map(asyncio.Future.done, each.waiters))]
        if wanted:
            batch = asyncio.get_running_loop().create_task(self._load(wanted), context=Context())
            window.batches.add(batch)
            batch.add_done_callback(window.batches.discard)

    async def _load(self, entries: Sequence[_Entry]) -> None:
        """Ask the backend, and tell everybody; nobody is left waiting, whatever it does."""
        try:
            results = await self._results([each.arguments for each in entries])
        except Exception as error:  # noqa: BLE001  raised to each caller
            results = [error] * len(entries)
        except BaseException:
            stopped = ToolBackendError("the backend was stopped before it answered")
            _tell(entries, [stopped] * len(entries))
            raise
        _tell(entries, results)

    async def _results(self, arguments: list[dict[str, Any]]) -> Sequence[object]:
        results = await call(self._load_many, arguments)
        if not isinstance(results, Sequence) or isinstance(results, str | bytes):
            raise ToolBackendError(
                f"the backend answered with a {type(results).__name__} instead of a list with a "
                "result for each call"
            )
        if len(results) != len(arguments):
            raise ToolBackendError(
                f"the backend got {len(arguments)} calls and answered {len(results)}; it has to "
                "return a result, or an exception, for each, in their order"
            )
        return results


def batchable(
    load_many: LoadMany,
    *,
    max_size: int = DEFAULT_BATCH_SIZE,
    window_seconds: float = DEFAULT_WINDOW_SECONDS,
    read_only: bool = False,
) -> Batchable:
    """Make a tool of a backend that takes many calls at once; see `Batchable`."""
    return Batchable(
        load_many, max_size=max_size, window_seconds=window_seconds, read_only=read_only
    )


def _tell(entries: Sequence[_Entry], results: Sequence[object]) -> None:
    for entry, result in zip(entries, results, strict=True):
        waiting = [each for each in entry.waiters if not each.done()]
        for number, waiter in enumerate(waiting):
            if isinstance(result, StopIteration):  # no future takes that
                waiter.set_exception(ToolBackendError("the result is a StopIteration"))
            elif isinstance(result, Exception):
                waiter.set_exception(result)
            else:
                waiter.set_result(result if number == 0 else own_copy(result))


def own_copy(value: object) -> object:
    """Copy a result for another of those who asked for it; what cannot be copied is shared."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001  a lock, a connection: nothing that a caller changes
        return value

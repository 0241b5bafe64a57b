"""Tools that calls can name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from orchestration.optimizer.batchable import Batchable
from orchestration.optimizer.calling import call
from state.errors import ConfigurationError, ToolNotFoundError
from state.jsonvalue import described


@runtime_checkable
class Invocable(Protocol):
    """What LangChain's tools and other Runnables are."""

    def ainvoke(self, arguments: Any, /) -> Awaitable[Any]:  # noqa: ANN401  LangChain's
        """Call it with its arguments as a dict."""
        ...


class KnownTool(NamedTuple):
    """A registered tool."""

    name: str
    call: Callable[[Mapping[str, Any]], Awaitable[Any]]
    read_only: bool
    """Whether it only looks, so that equal calls may be one."""
    is_batched: bool
    """Whether its calls wait for each other, and so must not wait for a slot."""


class Tools:
    """Tools by name: functions, LangChain tools, and backends that take many calls at once."""

    def __init__(self) -> None:
        self._known: dict[str, KnownTool] = {}

    def register(
        self,
        tool: Callable[..., Any] | Invocable,
        *,
        name: str | None = None,
        read_only: bool | None = None,
    ) -> None:
        """Make a tool known; one of the same name is replaced.

        Args:
            tool: A function, sync (called in a thread) or async, that gets the arguments by
                name; a LangChain `BaseTool`; or what `batchable` returns.
            name: By default its own.
            read_only: Whether it only looks, so that equal calls of a batch are made once; by
                default not, or what `batchable` was told.

        Raises:
            ConfigurationError: It is no tool, or has no name.
        """
        found = name or getattr(tool, "name", None) or getattr(tool, "__name__", None)
        if not isinstance(found, str) or not found:
            raise ConfigurationError(f"{described(tool)} has no name; give one: name=...")
        if read_only is None:
            read_only = tool.read_only if isinstance(tool, Batchable) else False
        self._known[found] = KnownTool(found, _caller(tool), read_only, isinstance(tool, Batchable))

    def get(self, name: str) -> KnownTool:
        """Return a tool.

        Raises:
            ToolNotFoundError: Nobody registered one of that name.
        """
        try:
            return self._known[name]
        except KeyError:
            raise ToolNotFoundError(name, self._known) from None


def _caller(tool: object) -> Callable[[Mapping[str, Any]], Awaitable[Any]]:
    if isinstance(tool, Batchable):
        return tool.load
    if isinstance(tool, Invocable):  # before functions: LangChain's tools can be called too
        invoked = tool
        return lambda arguments: invoked.ainvoke({**arguments})
    if callable(tool):
        function = tool
        return lambda arguments: call(function, **arguments)
    raise ConfigurationError(
        f"{described(tool)} is no tool; give a function, a LangChain tool, or a batchable"
    )

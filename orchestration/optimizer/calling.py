"""Calls functions that others wrote: async ones on the loop, sync ones in a thread."""

from __future__ import annotations

import asyncio
import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WORKER_THREADS: Final = 64
"""Sync functions at the same time; apart from asyncio's own threads, which others need."""


async def call(function: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401  whatever it returns
    """Call a function and return what it comes to, whether or not it is async.

    A sync function that has begun runs to its end in its thread, also where nobody waits for it
    any more.
    """
    if is_async(function):
        return await function(*arguments, **named)
    context, work = copy_context(), partial(function, *arguments, **named)
    loop = asyncio.get_running_loop()
    reply = await loop.run_in_executor(_threads(), context.run, _shielded, work)
    return await reply if inspect.isawaitable(reply) else reply


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling a function gives a coroutine."""
    inner = function.func if isinstance(function, partial) else function
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004  an object with an async __call__
    )


def is_control_flow(error: Exception) -> bool:
    """Whether an exception is LangGraph's way to pause or to leave a graph, and no failure."""
    errors = sys.modules.get("langgraph.errors")  # where it is not loaded, nobody raises that
    return errors is not None and isinstance(error, errors.GraphBubbleUp)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="orchestration-call")


def _shielded(function: Callable[[], Any]) -> Any:  # noqa: ANN401  whatever it returns
    """Call a function; a `StopIteration` cannot leave a future, so it becomes another error."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error

"""What a call of a tool may look like, and which calls are the same one."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from state.errors import ToolCallError
from state.jsonvalue import NotJsonError, described, json_object


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a registered tool."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    call_id: str | None = None
    """Equal calls with the same id are one, as with an idempotency key; so they run once."""


Call = Callable[[], Any] | Awaitable[Any] | ToolCall | Mapping[str, Any]
"""A function without arguments, an awaitable, a `ToolCall`, LangChain's `{name, args, id}`, or
OpenAI's `{id, function: {name, arguments}}`."""
ReadCall = Callable[[], Any] | Awaitable[Any] | ToolCall


def read_calls(calls: Sequence[Call]) -> list[ReadCall]:
    """Return calls with dicts as `ToolCall`s.

    Raises:
        ToolCallError: Some are no calls; it names each.
    """
    read: list[ReadCall] = []
    problems: list[str] = []
    for position, each in enumerate(calls):
        try:
            read.append(_read(each))
        except ValueError as problem:
            problems.append(f"call {position} {problem}")
    if problems:
        raise ToolCallError(f"{'; '.join(problems)}. Nothing was called.")
    return read


def _read(given: Call) -> ReadCall:
    if isinstance(given, Mapping):
        return _checked(_from_dict(given))
    if isinstance(given, ToolCall):
        return _checked(given)
    if callable(given) or inspect.isawaitable(given):
        return given
    raise ValueError(
        f"is {described(given)}; give a function without arguments, an awaitable, a ToolCall, or "
        "a dict with name, args and id (or with id and function, as OpenAI's)"
    )


def _from_dict(given: Mapping[str, Any]) -> ToolCall:
    call_id, function = given.get("id") or None, given.get("function")
    if not isinstance(function, Mapping):
        return ToolCall(given.get("name", ""), given.get("args") or {}, call_id)
    name, arguments = function.get("name", ""), function.get("arguments") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError as error:
            raise ValueError(f"of {name!r} has arguments that are no JSON: {error}") from None
    return ToolCall(name, arguments, call_id)


def _checked(given: ToolCall) -> ToolCall:
    if not isinstance(given.name, str) or not given.name:
        raise ValueError(f"has the name {described(given.name)}; give the name of a tool")
    arguments: object = given.arguments
    if not isinstance(arguments, Mapping) or not all(isinstance(each, str) for each in arguments):
        raise ValueError(
            f"of {given.name!r} has the arguments {described(arguments)}; give a dict by name"
        )
    return given


def canonical(arguments: Mapping[str, Any]) -> str | None:
    """Return arguments as a text that is the same for equal ones; None if they are no JSON.

    The order of keys does not matter; `1`, `1.0`, `"1"` and `true` are four things.
    """
    try:
        plain = json_object(arguments, at="arguments")
    except NotJsonError:
        return None
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def close_unrun(calls: Iterable[object]) -> None:
    """Close coroutines that nobody began, so that nobody is warned of them."""
    for each in calls:
        if inspect.iscoroutine(each) and inspect.getcoroutinestate(each) == inspect.CORO_CREATED:
            each.close()

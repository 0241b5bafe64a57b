"""Conditions and routers: CEL expressions, which are durable, and Python callables.

A CEL expression (`common-expression-language`) sees `outputs` (by task id, of the tasks
that succeeded), `outcomes` (by task id, with `status`, `error`, ...) and `input` (the
input data of its own task, or what the router was given).
"""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from state.jsonvalue import described, json_object
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from state.jsonvalue import JsonObject
    from state.outcome import Outcome
    from state.plan import ExpressionDocument

VARIABLES = ("input", "outcomes", "outputs")
_TYPE_NAMES = frozenset(
    [
        "bool",
        "bytes",
        "double",
        "duration",
        "dyn",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "timestamp",
        "type",
        "uint",
    ]
)
_BOUND_BY_MACRO = re.compile(r"\.(?:all|exists|exists_one|existsOne|filter|map)\s*\(\s*(\w+)\s*,")
"""Variables that a macro such as `items.all(x, x > 1)` brings along."""


class ExpressionError(Exception):
    """Raised when a condition or router cannot give an answer; becomes a failed outcome."""

    code = "condition_failed"


@lru_cache(maxsize=512)
def _program(expression: str) -> Any:  # noqa: ANN401  the library ships no types
    import cel  # noqa: PLC0415  only plans with expressions pay for it

    return cel.compile(expression)


@lru_cache(maxsize=512)
def expression_problem(expression: str) -> str | None:
    """Say what is wrong with a CEL expression, or None."""
    try:
        program = _program(expression)
    except ValueError as error:
        return str(error)
    bound = _BOUND_BY_MACRO.findall(expression)
    unknown = sorted({*program.variables()} - {*VARIABLES, *_TYPE_NAMES, *bound})
    if unknown:
        return f"{expression!r} uses {unknown}; an expression knows {list(VARIABLES)}"
    return None


def successful_outputs(outcomes: Mapping[str, Outcome]) -> dict[str, JsonObject]:
    """The outputs of the tasks that succeeded, by task id."""
    return {
        id_: outcome["output"]
        for id_, outcome in outcomes.items()
        if outcome["status"] == TaskStatus.SUCCEEDED
    }


def evaluate(
    document: ExpressionDocument,
    *,
    outcomes: Mapping[str, Outcome],
    input_data: JsonObject,
    argument: object,
    callables: Mapping[str, Callable[..., object]],
) -> object:
    """Evaluate an expression.

    Args:
        document: The expression.
        outcomes: What is known so far, by task id.
        input_data: What a CEL expression sees as `input`.
        argument: What a one-argument callable gets.
        callables: Where callables are found by key.

    Raises:
        ExpressionError: It raised, or it names something that is not there.
    """
    if document["kind"] == "callable":
        function = callables.get(document["key"])
        if function is None:
            raise ExpressionError(f"{document['name']} is not in this process any more")
        return call_here(function, document["name"], *(argument,) * document["takes_argument"])
    return _evaluate_cel(document["expression"], outcomes=outcomes, input_data=input_data)


def holds(
    condition: ExpressionDocument,
    *,
    outcomes: Mapping[str, Outcome],
    input_data: JsonObject,
    callables: Mapping[str, Callable[..., object]],
) -> bool:
    """Evaluate a condition; what it gets are copies, so that it changes nothing.

    Raises:
        ExpressionError: It raised, or is neither true nor false.
    """
    argument = None
    if condition["kind"] == "callable" and condition["takes_argument"]:
        argument = json_object(outcomes, at="outcomes")
    value = evaluate(
        condition,
        outcomes=outcomes,
        input_data=input_data,
        argument=argument,
        callables=callables,
    )
    if condition["kind"] == "cel" and not isinstance(value, bool):
        raise ExpressionError(
            f"{condition['expression']!r} gives {described(value)}; a condition must be true or "
            "false, e.g. compare with == or use has(...)"
        )
    try:
        return bool(value)
    except Exception as error:
        raise ExpressionError(f"its answer is neither true nor false: {error}") from error


def call_here(function: Callable[..., object], name: str, *arguments: object) -> object:
    """Call a caller's function on the event loop.

    Raises:
        ExpressionError: It raised, or it is asynchronous.
    """
    try:
        value = function(*arguments)
    except Exception as error:
        raise ExpressionError(f"{name} raised {type(error).__name__}: {error}") from error
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise ExpressionError(
            f"{name} is asynchronous; a condition, router or aggregation must not wait"
        )
    return value


def _evaluate_cel(
    expression: str, *, outcomes: Mapping[str, Outcome], input_data: JsonObject
) -> object:
    names = {
        "outputs": successful_outputs(outcomes),
        "outcomes": outcomes,
        "input": input_data,
    }
    try:
        return _program(expression).execute(names)
    except KeyError as error:
        missing = error.args[0] if error.args else error
        raise ExpressionError(
            f"{expression!r}: there is no {missing!r} (any more); guard it with has(...)"
        ) from error
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ExpressionError(f"{expression!r}: {error}") from error

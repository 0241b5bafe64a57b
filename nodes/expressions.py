"""Conditions and routers: CEL expressions, which are durable, and Python callables.

A CEL expression (`common-expression-language`) sees `outputs` (by task id, of the tasks
that succeeded), `outcomes` (by task id, with `status`, `error`, ...), `input` (the
input data of its own task, or what the router was given) and `parameters` (of the run); in
a loop or a cycle `turn`, from 1 on (0 where a supervisor says who is first); in the work for
an item of a list `item` and `index`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from state.jsonvalue import NotJsonError, described, json_object
from state.status import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.jsonvalue import JsonObject, JsonValue
    from state.outcome import Outcome
    from state.plan_document import ExpressionDocument, PlanDocument, Work

VARIABLES: Final = frozenset({"input", "outcomes", "outputs", "parameters"})
"""What every expression knows."""
IN_TURNS: Final = frozenset({"turn"})
FOR_ITEMS: Final = frozenset({"item", "index"})
_NOTHING: Final[Mapping[str, JsonValue]] = {}
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
def expression_problem(expression: str, known: frozenset[str] = VARIABLES) -> str | None:
    """Say what is wrong with a CEL expression that may use the variables `known`, or None."""
    try:
        program = _program(expression)
    except ValueError as error:
        return str(error)
    bound = _BOUND_BY_MACRO.findall(expression)
    unknown = sorted({*program.variables()} - {*known, *_TYPE_NAMES, *bound})
    if unknown:
        return f"{expression!r} uses {unknown}; an expression here knows {sorted(known)}"
    return None


def scope_of(plan: PlanDocument) -> Mapping[str, JsonValue]:
    """What expressions know beside outcomes and input, where the plan stands now."""
    cyclic = "supervision" in plan
    if not (cyclic or "parameters" in plan or "turn" in plan or "item" in plan):
        return _NOTHING
    scope: dict[str, JsonValue] = {"parameters": plan.get("parameters", {})}
    if cyclic or "turn" in plan:
        scope["turn"] = plan.get("turn", 0)
    if "item" in plan:
        scope |= {"item": plan["item"]["value"], "index": plan["item"]["index"]}
    return scope


def successful_outputs(outcomes: Mapping[str, Outcome]) -> dict[str, JsonObject]:
    """The outputs of the tasks that succeeded, by task id."""
    return {
        id_: outcome["output"]
        for id_, outcome in outcomes.items()
        if outcome["status"] == TaskStatus.SUCCEEDED
    }


def evaluate(  # noqa: PLR0913  all that an expression may know
    document: ExpressionDocument,
    *,
    outcomes: Mapping[str, Outcome],
    input_data: JsonObject,
    argument: object,
    callables: Mapping[str, Callable[..., object]],
    scope: Mapping[str, JsonValue] = _NOTHING,
) -> object:
    """Evaluate an expression.

    Args:
        document: The expression.
        outcomes: What is known so far, by task id.
        input_data: What a CEL expression sees as `input`.
        argument: What a one-argument callable gets.
        callables: Where callables are found by key.
        scope: What else a CEL expression knows.

    Raises:
        ExpressionError: It raised, or it names something that is not there.
    """
    if document["kind"] == "callable":
        function = callables.get(document["key"])
        if function is None:
            raise ExpressionError(f"{document['name']} is not in this process any more")
        return call_here(function, document["name"], *(argument,) * document["takes_argument"])
    return _evaluate_cel(
        document["expression"], outcomes=outcomes, input_data=input_data, scope=scope
    )


def holds(
    condition: ExpressionDocument,
    *,
    outcomes: Mapping[str, Outcome],
    input_data: JsonObject,
    callables: Mapping[str, Callable[..., object]],
    scope: Mapping[str, JsonValue] = _NOTHING,
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
        scope=scope,
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


def worked_out(
    task: Work, plan: PlanDocument, outcomes: Mapping[str, Outcome], given: JsonObject
) -> JsonObject:
    """Return a task's input with the fields that expressions give.

    Raises:
        ExpressionError: One cannot be told, or is no JSON.
    """
    wanted = task.get("input_from")
    if wanted is None:
        return given
    scope, found = scope_of(plan), {}
    for field, expression in wanted.items():
        found[field] = _evaluate_cel(expression, outcomes=outcomes, input_data=given, scope=scope)
    try:
        return {**given, **json_object(found, at="input_from")}
    except NotJsonError as error:
        raise ExpressionError(str(error)) from error


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
    expression: str,
    *,
    outcomes: Mapping[str, Outcome],
    input_data: JsonObject,
    scope: Mapping[str, JsonValue],
) -> object:
    names = {
        "parameters": {},
        **scope,
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

"""The planner's part for conditions, routers and aggregations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from graph.plan_request import Draft, PlanRequest, checked_input
from nodes.expressions import expression_problem
from state.jsonvalue import JsonObject, described, plain_text
from state.plan_document import (
    AggregateDocument,
    CallableDocument,
    ExpressionDocument,
    RouterDocument,
)
from state.status import CoordinationStrategy

if TYPE_CHECKING:
    from state.workflow import Router

BUILT_IN_AGGREGATIONS = ("collect", "merge", "first_success", "majority", "summary")


def planned_expression(
    value: object, *, at: str, key: str, id_: str | None, draft: Draft
) -> ExpressionDocument:
    """Plan a condition or router: CEL text is checked, a callable noted under its key."""
    if isinstance(value, str):
        if problem := expression_problem(value, draft.variables):
            draft.problem("bad_expression", f"{at} is not valid CEL: {problem}", id_)
        return {"kind": "cel", "expression": value}
    if not callable(value):
        draft.problem(
            "bad_expression",
            f"{at} is a {type(value).__name__}; use a CEL expression string or a callable",
            id_,
        )
        return {"kind": "cel", "expression": "false"}
    return planned_callable(value, at=at, key=key, id_=id_, draft=draft)


def planned_callable(  # noqa: PLR0913  three of them only say what an error is about
    value: Callable[..., object],
    *,
    at: str,
    key: str,
    draft: Draft,
    id_: str | None = None,
    wants_argument: bool = False,
) -> CallableDocument:
    """Note a callable under its key.

    A condition is passed something only if a parameter without a default asks for it, since
    `lambda limit=limit: ...` is how Python binds a value; a router (`wants_argument`) gets its
    input wherever it can take it.
    """
    count = _required_arguments(value)
    if count > 1:
        draft.problem(
            "bad_expression", f"{at} needs {count} arguments; it may take none or one", id_
        )
    draft.callables[key] = value
    name = str(getattr(value, "__qualname__", type(value).__qualname__))
    takes_argument = count == 1 or (wants_argument and bool(_positional(value)))
    return {"kind": "callable", "key": key, "name": name, "takes_argument": takes_argument}


def _positional(value: Callable[..., object]) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # some built-in callables have no signature
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in parameters if each.kind in kinds]


def _required_arguments(value: Callable[..., object]) -> int:
    return sum(each.default is inspect.Parameter.empty for each in _positional(value))


def planned_router(
    request: PlanRequest, strategy: CoordinationStrategy, draft: Draft
) -> RouterDocument | None:
    """Plan the router of a conditional workflow."""
    if strategy != CoordinationStrategy.CONDITIONAL:
        if request.router is not None:
            draft.problem(
                "needless_router",
                f"a router was given, but the strategy is {strategy.value!r}; use 'conditional'",
            )
        return None
    if request.router is None:
        draft.problem("no_router", "the conditional strategy needs a router; give router=...")
        return None
    return planned_choice(request.router, "router", draft)


def planned_choice(wanted: Router, what: str, draft: Draft) -> RouterDocument:
    """Plan a router or a supervisor: a map, a callable or CEL."""
    if isinstance(wanted, Mapping):
        return _router_map(wanted, what, draft)
    at, key = f"the {what}", draft.key(what)
    if callable(wanted):
        return planned_callable(wanted, at=at, key=key, draft=draft, wants_argument=True)
    return planned_expression(wanted, at=at, key=key, id_=None, draft=draft)


def _router_map(cases: Mapping[str, str], what: str, draft: Draft) -> RouterDocument:
    if not cases:
        draft.problem("no_router", f"the {what} map is empty; give at least one case")
    for expression, target in cases.items():
        if not isinstance(expression, str) or not isinstance(target, str):
            draft.problem(
                "bad_expression",
                f"the {what}'s case {described(expression)}: {described(target)} is not text; map "
                "CEL expressions to task ids, agent ids or capabilities",
            )
        elif problem := expression_problem(expression, draft.variables):
            message = f"the {what}'s case {expression!r} is not valid CEL: {problem}"
            draft.problem("bad_expression", message)
    texts = [case for case in cases.items() if all(isinstance(each, str) for each in case)]
    return {"kind": "map", "cases": [[plain_text(each) for each in case] for case in texts]}


def check_targets(
    router: RouterDocument | None, targets: Collection[str], what: str, draft: Draft
) -> None:
    """Check what can be known beforehand of where a router goes."""
    if router is None or router["kind"] != "map":
        return
    for expression, target in router["cases"]:
        if target not in targets:
            draft.problem(
                "unknown_target",
                f"the {what}'s case {expression!r} goes to {target!r}, which is no task here; "
                f"use one of {sorted(targets)}",
            )


def planned_router_input(
    request: PlanRequest, strategy: CoordinationStrategy, draft: Draft
) -> JsonObject | None:
    """What the router sees: by default the first task's input, which the plan holds anyway."""
    if strategy != CoordinationStrategy.CONDITIONAL or request.router_input is None:
        return None
    return checked_input(request.router_input, "the router's input_data", None, draft)


def planned_aggregate(
    request: PlanRequest, strategy: CoordinationStrategy, draft: Draft
) -> AggregateDocument | None:
    """Plan the aggregation; a parallel workflow collects unless told otherwise."""
    wanted = request.aggregate
    if wanted is None:
        return {"kind": "collect"} if strategy == CoordinationStrategy.PARALLEL else None
    match wanted:
        case "collect" | "merge" | "first_success" | "majority" | "summary":
            return {"kind": wanted}
        case str():
            draft.problem(
                "bad_aggregation",
                f"aggregate is {wanted!r}; use one of {list(BUILT_IN_AGGREGATIONS)} or a callable",
            )
            return None
    if not callable(wanted) or not _positional(wanted):
        draft.problem(
            "bad_aggregation",
            f"aggregate is {described(wanted)}; use one of {list(BUILT_IN_AGGREGATIONS)} or a "
            "callable that takes the outputs",
        )
        return None
    document = planned_callable(
        wanted,
        at="the aggregation",
        key=draft.key("aggregate"),
        draft=draft,
        wants_argument=True,
    )
    return {"kind": "callable", "callable": document}

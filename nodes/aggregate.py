"""The aggregate node: makes one value of the tasks' outputs, whatever became of each."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from langchain_core.runnables import RunnableConfig

from nodes.expressions import ExpressionError, call_here, successful_outputs
from nodes.run_handle import handle_of
from state.jsonvalue import JsonObject, JsonValue, NotJsonError, json_object
from state.outcome import error_json, error_record
from state.run_state import RunState, RunUpdate
from state.summary import NOT_UNDERSTOOD, summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from state.plan_document import AggregateDocument, PlanDocument


async def aggregate(state: RunState, config: RunnableConfig) -> RunUpdate:  # noqa: ARG001  LangGraph's signature
    """Aggregate the outputs of the tasks that succeeded, in task order."""
    plan = state["plan"]
    known = successful_outputs(state["outcomes"])
    outputs = {id_: known[id_] for id_ in plan["order"] if id_ in known}
    document = plan["aggregate"]
    if document is None:
        return {}
    if document["kind"] == "summary":
        return _summed_up(plan, state)
    if document["kind"] == "callable":
        function = handle_of(state).callables.get(document["callable"]["key"], _is_gone)
        return {"aggregate": _called(function, outputs)}
    return {"aggregate": aggregated(document, outputs, total=len(plan["order"]))}


def _summed_up(plan: PlanDocument, state: RunState) -> RunUpdate:
    """Answer a request in plain words; one that was not understood has come to nothing."""
    summary = summary_of(plan, state["outcomes"])
    update: RunUpdate = {"aggregate": json_object(summary, at="summary")}
    if "request" in plan and plan["request"]["not_understood"]:
        update["route"] = {"ended": NOT_UNDERSTOOD}
    return update


def aggregated(
    document: AggregateDocument, outputs: Mapping[str, JsonObject], *, total: int
) -> JsonValue:
    """Apply one way of aggregation.

    - `collect`: the outputs by task id.
    - `merge`: one object; of equal keys the later task's value stays.
    - `first_success`: the first output in task order, or null.
    - `majority`: the output given by more than half of the `total` tasks, or null.
    """
    match document["kind"]:
        case "collect":
            return dict(outputs)
        case "merge":
            merged: JsonObject = {}
            for output in outputs.values():
                merged |= output
            return merged
        case "first_success":
            return next(iter(outputs.values()), None)
        case "majority":
            return _majority(outputs, of=total)
        case "callable" | "summary":
            raise ValueError(f"{document['kind']} is made of more than the outputs")


def _majority(outputs: Mapping[str, JsonObject], *, of: int) -> JsonValue:
    texts = Counter(json.dumps(output, sort_keys=True) for output in outputs.values())
    for text, count in texts.most_common(1):
        if count * 2 > of:
            winner: JsonValue = json.loads(text)
            return winner
    return None


def _is_gone(_outputs: object) -> object:
    """Stands in for a function of another process, as a cancelled run ends in any."""
    raise ExpressionError("the function that aggregates is not in this process any more")


def _called(function: Callable[..., object], outputs: Mapping[str, JsonObject]) -> JsonValue:
    """Aggregate with a caller's function; what it gets are copies, so it changes nothing."""
    try:
        value = call_here(function, "the aggregation", json_object(outputs, at="outputs"))
        return json_object({"aggregate": value}, at="the result")["aggregate"]
    except (ExpressionError, NotJsonError) as error:
        return {"error": error_json(error_record(error.__cause__ or error))}

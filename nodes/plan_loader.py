"""The loader node: begins a run in a graph that carries its plan along."""

from __future__ import annotations

import uuid
from typing import Any, Final, TypedDict, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Overwrite

from nodes.run_handle import template_of
from state.plan_document import PlanDocument

TEMPLATE_KEY: Final = "__orchestration_template"
"""Key in `configurable` that names the template of a graph made by `compile()`."""


class LoaderInput(TypedDict, total=False):
    """What such a graph takes; nothing is needed."""

    messages: list[dict[str, Any]]
    """Stand in for the `messages` of the first task's input."""


async def load_plan(state: LoaderInput, config: RunnableConfig) -> dict[str, Any]:
    """Put the template's plan into the state, as a new run."""
    key = config["configurable"][TEMPLATE_KEY]
    document = template_of(key).document
    assert document is not None  # noqa: S101  only graphs that plan for themselves have none
    loaded = {**document, "run_id": f"{key}:{uuid.uuid4().hex}"}
    if messages := state.get("messages"):
        first = document["order"][0]
        task = document["tasks"][first]
        changed = {**task, "input": {**task["input"], "messages": messages}}
        loaded["tasks"] = {**document["tasks"], first: changed}
    return fresh_state(cast("PlanDocument", loaded))


def fresh_state(document: PlanDocument) -> dict[str, Any]:
    """The state a run begins with; what an earlier run may have left there is cleared."""
    seed = document.get("seed")
    fresh: dict[str, Any] = {
        "plan": document,
        "outcomes": Overwrite({} if seed is None else {**seed["outcomes"]}),
        "approvals": Overwrite({} if seed is None else {**seed.get("approvals", {})}),
        "route": {} if seed is None else {**seed.get("route", {})},
        "aggregate": None,
    }
    if "supervision" in document:
        fresh["turns"] = [] if seed is None else [*seed.get("turns", [])]
    return fresh

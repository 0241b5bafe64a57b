"""The nodes of the supervisor graph: a request is understood, done as one plan, and answered.

The plan is made inside the graph, so its own graph is one that `work` runs inside itself: it
pauses, streams and is checkpointed as a part of this one.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from nodes.plan_loader import TEMPLATE_KEY, LoaderInput, fresh_state
from nodes.run_handle import handle_of, template_of
from state.jsonvalue import json_object
from state.run_state import SupervisedState
from state.summary import summary_of

if TYPE_CHECKING:
    from nodes.ports import Delegation

UNDERSTAND: Final = "understand"
SUPERVISE: Final = "supervisor"
WORK: Final = "work"
ANSWER: Final = "answer"


async def understand(state: LoaderInput, config: RunnableConfig) -> dict[str, Any]:
    """Make a plan of what the messages ask for; one without tasks if they were not understood."""
    key = config["configurable"][TEMPLATE_KEY]
    delegation = _delegation(template_of(key).make_handle().delegation)
    run_id = f"{key}:{uuid.uuid4().hex}"
    return fresh_state(await delegation.plan(state.get("messages", []), run_id=run_id))


async def supervise_request(state: SupervisedState, config: RunnableConfig) -> Command[str]:  # noqa: ARG001  LangGraph's signature
    """Let the plan be done, or finish."""
    left = [id_ for id_ in state["plan"]["order"] if id_ not in state["outcomes"]]
    return Command(goto=WORK if left else ANSWER)


async def work(state: SupervisedState, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001  LangGraph's signature
    """Do all tasks of the plan, as far as they can be."""
    plan = state["plan"]
    graph = _delegation(handle_of(state).delegation).graph_of(plan)
    done = await graph.ainvoke(fresh_state(plan))
    return {"outcomes": done["outcomes"]}


async def answer(state: SupervisedState, config: RunnableConfig) -> dict[str, Any]:  # noqa: ARG001  LangGraph's signature
    """Say what became of the request."""
    summary = summary_of(state["plan"], state["outcomes"])
    said = {"role": "assistant", "content": summary["text"]}
    return {"messages": [said], "aggregate": json_object(summary, at="summary")}


def _delegation(given: Delegation | None) -> Delegation:
    assert given is not None  # noqa: S101  its template was made with one
    return given

"""What a method of an agent on Agent Engine is sent for a task.

That depends on what the method takes, by its own word:

- `input` (LangChain's and LangGraph's agents), or it does not say: `input` is the task's input;
  its `messages` begin with the last ones of the thread's earlier runs; it has the
  `idempotency_key`, the `thread_id` and, if there are any, the outputs of the tasks before it,
  by task id, as `upstream`. If it takes `config` too, that has the thread's id where LangGraph
  looks for it, and the rest as metadata.
- `message` (agents of the ADK): `message` is the text that `orchestration.agents.model_input`
  makes, `user_id` is the user of the run, or its thread. The ADK begins a new session each time,
  and has no place for an idempotency key.
- something else: the fields of the task's input that it takes, and of `idempotency_key`,
  `thread_id`, `upstream` and `messages` those that it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from orchestration.agents.local import conversation
from orchestration.agents.model_input import messages_for, prompt_of

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject, JsonValue


def input_for(
    input_data: JsonObject,
    context: AgentContext,
    *,
    parameters: AbstractSet[str],
    with_history: bool,
) -> JsonObject:
    """Return the arguments of a method, by name.

    Raises:
        AgentRefusedError: The task's `messages` cannot be put into words, where that is needed.
    """
    known = context if with_history else context._replace(history=())
    if "message" in parameters and "input" not in parameters:
        told = prompt_of(messages_for(input_data, known))
        user = context.user or context.thread_id
        return {"message": told, **({"user_id": user} if "user_id" in parameters else {})}
    everything = _everything(input_data, known)
    if parameters and "input" not in parameters:
        return {name: value for name, value in everything.items() if name in parameters}
    config = {"config": _config(context)} if "config" in parameters else {}
    return {"input": everything, **config}


def _everything(input_data: JsonObject, context: AgentContext) -> JsonObject:
    """The task's input with what is known beside it."""
    told: JsonObject = {
        "idempotency_key": context.idempotency_key,
        "thread_id": context.thread_id,
    }
    if context.upstream:
        told["upstream"] = {id_: dict(output) for id_, output in context.upstream.items()}
    if context.history and isinstance(said := input_data.get("messages", []), list):
        told["messages"] = cast("JsonValue", conversation(context.history, said))
    return {**input_data, **told}


def _config(context: AgentContext) -> JsonObject:
    """What LangGraph's agents get beside their input."""
    return {
        "configurable": {"thread_id": context.thread_id},
        "metadata": {
            "idempotency_key": context.idempotency_key,
            "task_id": context.task_id,
            "attempt": context.attempt,
        },
    }

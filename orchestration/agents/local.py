"""Agents in this process: callables, LangChain Runnables, compiled graphs."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from state.conversation import INSTRUCTIONS
from state.errors import AgentError, UnknownReplyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig

    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

    Call = Callable[[JsonObject, AgentContext], Awaitable[Any]]

WORKER_THREADS: Final = 64
"""Sync agents that can run at once in one process."""


def call_of(handler: Any) -> Call:  # noqa: ANN401  any callable or Runnable
    """Turn a handler into an async function of input data and context."""
    if hasattr(handler, "ainvoke"):
        return partial(_call_runnable, handler)
    with_context = _takes_context(handler)
    if _is_async(handler):
        return handler if with_context else _without_context(handler)
    return partial(_call_in_thread, handler, with_context)


def _without_context(handler: Callable[..., Awaitable[Any]]) -> Call:
    def call(input_data: JsonObject, context: AgentContext) -> Awaitable[Any]:  # noqa: ARG001
        return handler(input_data)

    return call


async def _call_in_thread(
    handler: Callable[..., Any],
    with_context: bool,  # noqa: FBT001  bound by `partial`
    input_data: JsonObject,
    context: AgentContext,
) -> Any:  # noqa: ANN401  checked by the caller
    arguments = (input_data, context) if with_context else (input_data,)
    run = partial(contextvars.copy_context().run, _shielded, handler, *arguments)
    reply = await asyncio.get_running_loop().run_in_executor(_threads(), run)
    return await reply if inspect.isawaitable(reply) else reply


def _shielded(handler: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
    """Call a handler; a `StopIteration` cannot leave a future, so it becomes an ordinary error."""
    try:
        return handler(*arguments)
    except StopIteration as error:
        raise AgentError("the agent raised StopIteration") from error


async def _call_runnable(
    runnable: Any,  # noqa: ANN401  LangChain's type is heavy to import
    input_data: JsonObject,
    context: AgentContext,
) -> JsonObject:
    """Invoke a Runnable; a graph becomes a subgraph of the node it is called from."""
    from langchain_core.language_models import BaseLanguageModel  # noqa: PLC0415  heavy

    given: Any = input_data
    if isinstance(runnable, BaseLanguageModel):
        given = conversation(context.history, input_data.get("messages", []))
    metadata = {
        "task_id": context.task_id,
        "attempt": context.attempt,
        "idempotency_key": context.idempotency_key,
    }
    config: RunnableConfig = {"metadata": metadata}
    if context.streams:
        from orchestration.agents.streaming import TokenHandler  # noqa: PLC0415  heavy

        config["callbacks"] = [TokenHandler(context.emit)]
    return reply_of(await runnable.ainvoke(given, config))


def conversation(history: Sequence[JsonObject], messages: Any) -> Any:  # noqa: ANN401
    """What a bare chat model gets: its instructions, what was said before, what is asked now."""
    if not history or not isinstance(messages, list):
        return messages
    instructions = list(
        takewhile(
            lambda each: isinstance(each, dict) and each.get("role") in INSTRUCTIONS, messages
        )
    )
    return [*instructions, *history, *messages[len(instructions) :]]


def reply_of(reply: object) -> JsonObject:
    """Say a Runnable's reply as a JSON object: text and messages get a `content`."""
    from langchain_core.messages import BaseMessage  # noqa: PLC0415  heavy

    if isinstance(reply, str):
        return {"content": reply}
    if isinstance(reply, BaseMessage):
        return {
            "content": str(reply.text),
            "messages": [_plain(reply)],
            **usage_of(reply),
        }
    plain = _plain(reply)
    if not isinstance(plain, dict):
        raise UnknownReplyError(
            f"the reply is a {type(reply).__name__}; a Runnable answers with a dict, "
            "a message or text"
        )
    return plain


def usage_of(message: BaseMessage) -> JsonObject:
    """What a model used for a message, as a reply says it; empty where it did not say."""
    used = getattr(message, "usage_metadata", None)
    if not used:
        return {}
    return {"usage": {"input_tokens": used["input_tokens"], "output_tokens": used["output_tokens"]}}


def _plain(value: object) -> Any:  # noqa: ANN401  checked by the caller
    """Turn messages and models inside a reply into JSON values."""
    from langchain_core.messages import BaseMessage, convert_to_openai_messages  # noqa: PLC0415
    from pydantic import BaseModel  # noqa: PLC0415  heavy

    match value:
        case BaseMessage():
            return convert_to_openai_messages(value)
        case BaseModel():
            return value.model_dump(mode="json")
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    return value


def _takes_context(handler: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # some built-in callables have no signature
        return False
    try:
        signature.bind({}, None)
    except TypeError:
        return False
    return True


def _is_async(handler: Callable[..., Any]) -> bool:
    function = handler.func if isinstance(handler, partial) else handler
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  an object with an async __call__
    )


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKER_THREADS, thread_name_prefix="orchestration-agent")

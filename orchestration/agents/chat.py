"""The single-agent door: one message to one agent, without a workflow."""

from __future__ import annotations

import asyncio
import inspect
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from state.agent_context import AgentContext
from state.errors import AgentTimeoutError
from state.jsonvalue import described, json_object
from state.outcome import Usage, usage_in

if TYPE_CHECKING:
    from nodes.ports import Agents

Message = str | Sequence[Mapping[str, Any]] | Mapping[str, Any]
"""What a user says; or messages as OpenAI-style dicts; or the whole input of the agent."""


class ChatOptions(TypedDict, total=False):
    """What may be said beside a message."""

    thread_id: str
    """Calls with the same one get the same version of the agent."""
    timeout: float | None
    """Seconds to wait."""
    user: str | None
    tenant: str | None
    on_token: Callable[[str], None] | None
    """Gets the text in pieces, as they come; nothing from an agent that gives none."""


class AgentReply(dict[str, Any]):
    """What an agent answers: a JSON object that prints as its text."""

    @property
    def text(self) -> str:
        """What it says: as `content`, as `message`, or as the last of its `messages`."""
        messages = self.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        of_last = last.get("content") if isinstance(last, dict) else None
        said = (self.get("content"), self.get("message"), of_last)
        return next((each for each in said if isinstance(each, str)), "")

    @property
    def usage(self) -> Usage | None:
        """What a model used for it, if the agent said that."""
        return usage_in(self)

    def __str__(self) -> str:
        return self.text or repr(dict(self))


async def achat(
    agents: Agents,
    agent_id: str,
    message: Message,
    *,
    now: Callable[[], float],
    **options: Unpack[ChatOptions],
) -> AgentReply:
    """Say something to an agent and return what it answers.

    Args:
        agents: Finds it.
        agent_id: Which one.
        message: See `Message`.
        now: What time it is, in seconds since the epoch.
        options: See `ChatOptions`.

    Raises:
        AgentNotFoundError: There is no such agent.
        AgentError: It could not or would not.
        TypeError: The message is none, or `on_token` is asynchronous.
    """
    timeout, thread_id = options.get("timeout"), options.get("thread_id", "")
    on_token = options.get("on_token")
    key = f"chat:{secrets.token_hex(16)}"
    context = AgentContext(
        thread_id=thread_id,
        task_id=agent_id,
        run_id=key,
        idempotency_key=key,
        deadline=None if timeout is None else now() + timeout,
        tenant=options.get("tenant"),
        user=options.get("user"),
    )
    if on_token is not None:
        if inspect.iscoroutinefunction(on_token):
            raise TypeError("on_token is asynchronous, and nobody would await it; give a function")
        context = context._replace(emit=on_token)
    agent = agents.choose(agent_id=agent_id, capability=None, thread_id=thread_id)
    given = json_object(input_of(message), at="message")
    try:
        async with asyncio.timeout(timeout) as limit:
            return AgentReply(await agent.call(given, context))
    except TimeoutError as error:
        if limit.expired():
            raise AgentTimeoutError(
                f"agent {agent_id!r} did not answer within {timeout:g} s; it may have acted all "
                "the same"
            ) from None
        raise AgentTimeoutError(f"agent {agent_id!r} timed out: {error}") from error


def input_of(message: Message) -> Mapping[str, Any]:
    """The input of an agent for what somebody says."""
    if isinstance(message, str):
        return {"messages": [{"role": "user", "content": message}]}
    if isinstance(message, Mapping):
        return message
    if not isinstance(message, Sequence):
        raise TypeError(
            f"message is {described(message)}; give text, messages as dicts, or the whole input"
        )
    return {"messages": list(message)}


def chat(make: Callable[[], Coroutine[Any, Any, AgentReply]]) -> AgentReply:
    """Run `achat` from code that is not asynchronous.

    Raises:
        RuntimeError: It is called in an event loop, which it would stop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    raise RuntimeError("chat() would stop the running event loop; use `await agent.achat(...)`")

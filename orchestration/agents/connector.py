"""The port to an agent, wherever it is.

Every kind passes the tests of `orchestration.testing.agent_contract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject


class Connector(Protocol):
    """The way to one endpoint: made once, used from any event loop, by many calls at once."""

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Do one task.

        The reply is a JSON object. Text is its `content`; new messages, as OpenAI-style dicts,
        are its `messages`; what a model used is its `usage`, with `input_tokens` and
        `output_tokens`. Where `context.streams`, pieces of the text go to `context.emit` as
        they come. What is left until `context.deadline` is told to the agent if its protocol
        can, and so is `context.idempotency_key`. A cancelled call leaves nothing open.

        Raises:
            AgentRefusedError: It said no.
            AgentNotStartedError: It surely did not begin, e.g. nothing listens there; of it
                `AgentRateLimitedError` with `retry_after`, and `AgentAuthError`.
            AgentTimeoutError: It did not answer in time.
            UnknownReplyError: It answered with something else.
            AgentError: It failed, and may have acted.
        """
        ...

    async def probe(self) -> None:
        """Return if the endpoint answers; costs little, and has no effect there.

        Raises:
            AgentError: It does not.
            NotImplementedError: This kind has no way to ask.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; calls under way may fail."""
        ...


@runtime_checkable
class SlowToStart(Protocol):
    """A connector that imports much when it is first used, which says nothing of its agent."""

    async def get_ready(self) -> None:
        """Import what calls need; is done before the time of a probe begins.

        Raises:
            AgentError: It cannot be imported.
        """
        ...

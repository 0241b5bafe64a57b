"""A tuned Gemini, or one of Google's own, on Vertex AI: the kind `vertex_chat`.

Its address is `projects/P/locations/R/endpoints/E`, or `…/publishers/google/models/M`, alone or at
the end of a URL. What it is told is in `orchestration.agents.model_input`. Its settings, beside
those of all of Vertex AI (`transport`, `api_endpoint`, `credentials_file`, `timeout_seconds`):

- `system_prompt`: instructions that come before those of the task;
- `temperature`, `top_p`, `top_k`, `max_output_tokens`: as the model understands them;
- `model`: what the tuned model was made from, e.g. `gemini-2.5-flash`.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast

from orchestration.agents.google_address import ENDPOINTS, GRPC, MODELS
from orchestration.agents.google_errors import LARGEST_REPLY, OversizeError
from orchestration.agents.local import reply_of
from orchestration.agents.model_input import chat_messages, messages_for
from orchestration.agents.vertex_connector import (
    VertexConnector,
    is_number,
    is_text,
    vertex_problems,
)
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from langchain_core.messages import BaseMessage

    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.vertex_chat_models import ChatClient
    from orchestration.agents.vertex_connector import Check, Left
    from state.agent_context import AgentContext
    from state.jsonvalue import JsonObject

_OWN: Final[Mapping[str, tuple[Check, str]]] = {
    "system_prompt": (is_text, "text"),
    "temperature": (lambda value: is_number(value, above=-0.001, most=2), "a number from 0 to 2"),
    "top_p": (lambda value: is_number(value, above=-0.001, most=1), "a number from 0 to 1"),
    "top_k": (lambda value: type(value) is int and value > 0, "a whole number from 1"),
    "max_output_tokens": (lambda value: type(value) is int and value > 0, "a whole number from 1"),
}
_REFUSALS: Final = frozenset(
    {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"}
)
"""Reasons to finish that say that the model, or who watches it, did not want to."""


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    yield from vertex_problems(endpoint, collections=(ENDPOINTS, MODELS), own=_OWN)


def connect(endpoint: Endpoint) -> VertexChat:
    """Make the way to a model."""
    return VertexChat(endpoint)


class VertexChat(VertexConnector["ChatClient"]):
    """Asks a chat model, over REST or gRPC."""

    def prepare(self) -> None:
        """Import LangChain's models, and read the certificates."""
        import orchestration.agents.vertex_chat_models  # noqa: F401, PLC0415  heavy
        from orchestration.agents.google_transport import tls_context  # noqa: PLC0415  heavy

        tls_context()

    def make_client(self) -> ChatClient:
        """Make a model for the running loop."""
        from orchestration.agents import vertex_chat_models as models  # noqa: PLC0415  heavy

        make = models.grpc_client if self.place.transport == GRPC else models.rest_client
        return make(self.place, self.tokens, self.settings)

    async def close_client(self, client: ChatClient) -> None:
        """Close a model's connections."""
        await client.close()

    async def ask(
        self, client: ChatClient, input_data: JsonObject, context: AgentContext, left: Left
    ) -> JsonObject:
        """Say a task to the model, and its answer as a reply."""
        told = messages_for(input_data, context, system_prompt=self.settings.get("system_prompt"))
        messages = chat_messages(told)
        if context.streams:
            message = await self._in_pieces(client, messages, context, left)
        else:
            message = await client.model.ainvoke(messages, timeout=left.seconds)
        self._check(message)
        return reply_of(message)

    async def ask_state(self, client: ChatClient, left: Left) -> None:
        """Have the tokens of one character counted, which is free."""
        await client.count(left.seconds)

    async def _in_pieces(
        self,
        client: ChatClient,
        messages: list[BaseMessage],
        context: AgentContext,
        left: Left,
    ) -> BaseMessage:
        whole: Any = None
        size = 0
        stream = cast(
            "AsyncGenerator[BaseMessage]", client.model.astream(messages, timeout=left.seconds)
        )
        async with aclosing(stream):
            async for chunk in stream:
                if text := str(chunk.text):
                    size += len(text)
                    context.emit(text)
                if size > LARGEST_REPLY:  # over gRPC only each piece is bounded by itself
                    raise OversizeError
                whole = chunk if whole is None else whole + chunk
        return _message(whole)

    def _check(self, message: BaseMessage) -> None:
        """Refuse what is no answer, and say why it is none."""
        about = message.response_metadata
        feedback = about.get("prompt_feedback") or {}
        reason = str(about.get("finish_reason") or "")
        if blocked := feedback.get("block_reason"):
            said = feedback.get("block_reason_message") or "it did not say more"
            name = getattr(blocked, "name", blocked)
            raise AgentRefusedError(f"{self.place.resource} blocks the prompt ({name}): {said}")
        if reason in _REFUSALS:
            raise AgentRefusedError(f"{self.place.resource} stopped with {reason}")
        if not message.text and not getattr(message, "tool_calls", None):
            raise AgentRefusedError(
                f"{self.place.resource} said nothing; it finished with {reason or 'no reason'}"
            )


def _message(whole: Any) -> BaseMessage:  # noqa: ANN401  the sum of chunks
    """The sum of all chunks as a message."""
    from langchain_core.messages import AIMessage, message_chunk_to_message  # noqa: PLC0415

    return AIMessage("") if whole is None else message_chunk_to_message(whole)

"""LangChain's models for Gemini on Vertex AI, each for one event loop.

Import it only where a client is made: it loads all of Google's libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1beta1.services.prediction_service import (
    PredictionServiceAsyncClient,
)
from google.cloud.aiplatform_v1beta1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_google_vertexai import ChatVertexAI

from orchestration.agents.google_transport import (
    genai_arguments,
    genai_client,
    grpc_channel,
    http_client,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from orchestration.agents.google_address import GooglePlace
    from orchestration.agents.google_credentials import TokenSource

FEEDBACK: Final = "prompt_feedback"
"""Where in a message's `response_metadata` stands why a prompt was not answered."""
_SAMPLING: Final = ("temperature", "top_p", "top_k", "max_output_tokens")
_ANY_GEMINI: Final = "gemini-2.5-flash"
"""A name that LangChain wants and nobody is sent: the resource's name says which model."""


class RestGemini(ChatGoogleGenerativeAI):
    """Keeps why a prompt was blocked; LangChain drops it where text does not come in pieces."""

    async def _agenerate(self, *given: Any, **named: Any) -> ChatResult:  # noqa: ANN401
        result = await super()._agenerate(*given, **named)
        feedback = (result.llm_output or {}).get(FEEDBACK)
        for generation in result.generations if feedback else ():
            generation.message.response_metadata[FEEDBACK] = feedback
        return result


class GrpcGemini(ChatVertexAI):
    """Keeps why a prompt was blocked, which LangChain drops.

    ChatGoogleGenerativeAI, which is to take the place of its class, speaks no gRPC.
    """

    def _gemini_response_to_chat_result(self, response: Any) -> ChatResult:  # noqa: ANN401
        result = super()._gemini_response_to_chat_result(response)
        for generation in result.generations:
            _keep_feedback(generation.message, response)
        return result

    def _gemini_chunk_to_generation_chunk(
        self,
        response_chunk: Any,  # noqa: ANN401
        prev_total_usage: Any = None,  # noqa: ANN401
    ) -> tuple[ChatGenerationChunk, Any]:
        chunk, total = super()._gemini_chunk_to_generation_chunk(response_chunk, prev_total_usage)
        _keep_feedback(chunk.message, response_chunk)
        return chunk, total


def _keep_feedback(message: BaseMessage, response: Any) -> None:  # noqa: ANN401
    feedback = response.prompt_feedback
    if feedback.block_reason:
        message.response_metadata[FEEDBACK] = {
            "block_reason": feedback.block_reason.name,
            "block_reason_message": feedback.block_reason_message,
        }


class ChatClient:
    """A model for one event loop, with what has to be closed."""

    def __init__(
        self,
        model: BaseChatModel,
        *,
        count: Callable[[float], Awaitable[object]],
        close: Callable[[], Awaitable[object]],
    ) -> None:
        self.model = model
        self.count = count
        """Has tokens counted, within so many seconds; what costs nothing."""
        self.close = close


def rest_client(place: GooglePlace, tokens: TokenSource, settings: Mapping[str, Any]) -> ChatClient:
    """Make a client that speaks REST."""
    http = http_client(place)
    model = RestGemini(  # type: ignore[call-arg]  # names that pydantic knows
        model=place.resource,
        vertexai=True,
        project=place.project,
        location=place.location,
        credentials=tokens.credentials,
        base_url=place.origin,
        client_args=genai_arguments(),
        max_retries=1,
        **_sampling(settings),
    )
    client = model.client = genai_client(place, tokens, http)

    async def count(seconds: float) -> None:
        await client.aio.models.count_tokens(
            model=place.resource,
            contents="?",
            config={"http_options": {"timeout": int(seconds * 1000)}},
        )

    async def close() -> None:
        await model.aclose()  # the client that it made itself
        client.close()
        await http.aclose()

    return ChatClient(model, count=count, close=close)


def grpc_client(place: GooglePlace, tokens: TokenSource, settings: Mapping[str, Any]) -> ChatClient:
    """Make a client that speaks gRPC."""
    channel = grpc_channel(place, tokens)
    service = PredictionServiceAsyncClient(
        transport=PredictionServiceGrpcAsyncIOTransport(channel=channel)
    )
    model = GrpcGemini(  # type: ignore[call-arg]  # names that pydantic knows
        model_name=settings.get("model", _ANY_GEMINI),
        full_model_name=place.resource,
        project=place.project,
        location=place.location,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]  # the channel has them
        async_client=service,
        max_retries=1,
        **_sampling(settings),
    )

    async def count(seconds: float) -> None:
        contents = [{"role": "user", "parts": [{"text": "?"}]}]
        await service.count_tokens(
            {"endpoint": place.resource, "model": place.resource, "contents": contents},
            retry=None,
            timeout=seconds,
        )

    async def close() -> None:
        await channel.close()

    return ChatClient(model, count=count, close=close)


def _sampling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for the model; `temperature` always, since LangChain has one of its own."""
    return {name: settings.get(name) for name in _SAMPLING if name in settings} | {
        "temperature": settings.get("temperature")
    }

"""LangChain's `VertexAIModelGarden`, as it has to be to reach any endpoint in any way.

Upstream ignores credentials, host and transport, has no time limit, and takes a prediction that
is a JSON object for a list of its keys. Import it only where a client is made.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from google.auth.transport.requests import AuthorizedSession
from google.cloud.aiplatform_v1.services.prediction_service import (
    PredictionServiceAsyncClient,
    PredictionServiceClient,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.rest import (
    DEFAULT_CLIENT_INFO,
    PredictionServiceRestTransport,
)
from google.cloud.aiplatform_v1.types import PredictResponse
from google.protobuf.json_format import MessageToDict, ParseDict  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Value  # type: ignore[import-untyped]
from langchain_core.outputs import Generation, LLMResult
from langchain_google_vertexai import VertexAIModelGarden
from pydantic import Field, model_validator

from orchestration.agents.google_threads import CuttableAdapter, in_thread
from orchestration.agents.google_transport import grpc_channel

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun

    from orchestration.agents.google_address import GooglePlace
    from orchestration.agents.google_credentials import TokenSource

Predict: TypeAlias = Callable[[list[Value], float], Awaitable[PredictResponse]]


class EndpointGarden(VertexAIModelGarden):
    """A model behind one endpoint; a prediction is kept as it came, beside its text."""

    send: Predict = Field(exclude=True)

    @model_validator(mode="after")
    def validate_environment(self) -> EndpointGarden:
        """Make no clients: `send` has one."""
        return self

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **given: Any,  # noqa: ANN401
    ) -> LLMResult:
        fields, seconds = given["fields"], given["seconds"]
        instances = [ParseDict({**fields, self.prompt_arg: prompt}, Value()) for prompt in prompts]
        answer = MessageToDict(PredictResponse.pb(await self.send(instances, seconds)))
        info = {
            "predictions": answer.get("predictions", []),
            "metadata": answer.get("metadata"),
        }
        return LLMResult(generations=[[Generation(text="", generation_info=info)]])


class PredictClient:
    """A model for one event loop, with what has to be closed."""

    def __init__(self, model: EndpointGarden, close: Callable[[], Awaitable[object]]) -> None:
        self._model = model
        self.close = close

    async def predict(
        self, prompt: str, *, fields: dict[str, Any], seconds: float
    ) -> tuple[list[Any], Any]:
        """Return the predictions for one instance, and what the endpoint says about them."""
        result = await self._model.agenerate([prompt], fields=fields, seconds=seconds)
        info = result.generations[0][0].generation_info or {}
        return info["predictions"], info["metadata"]


class _RestTransport(PredictionServiceRestTransport):
    """REST over connections that can be cut, without redirections and second tries."""

    def __init__(self, place: GooglePlace, tokens: TokenSource) -> None:
        super().__init__(host=place.origin, credentials=tokens.credentials)
        self._session.close()  # type: ignore[no-untyped-call]
        self._session = AuthorizedSession(  # type: ignore[no-untyped-call]
            tokens.credentials, refresh_status_codes=(), max_refresh_attempts=0
        )
        self._prep_wrapped_messages(DEFAULT_CLIENT_INFO)  # type: ignore[no-untyped-call]  # anew
        self._session.trust_env = not place.is_clear
        self._session.max_redirects = 0
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, CuttableAdapter())


def rest_client(place: GooglePlace, tokens: TokenSource, prompt_field: str) -> PredictClient:
    """Make a client that speaks REST."""
    transport = _RestTransport(place, tokens)
    client = PredictionServiceClient(transport=transport)

    async def send(instances: list[Value], seconds: float) -> PredictResponse:
        return await in_thread(
            partial(
                client.predict,
                endpoint=place.resource,
                instances=instances,
                retry=None,
                timeout=seconds,
                metadata=[("x-server-timeout", str(math.ceil(seconds)))],
            )
        )

    async def close() -> None:
        transport.close()  # type: ignore[no-untyped-call]

    return PredictClient(_garden(place, prompt_field, send), close)


def grpc_client(place: GooglePlace, tokens: TokenSource, prompt_field: str) -> PredictClient:
    """Make a client that speaks gRPC."""
    channel = grpc_channel(place, tokens)
    client = PredictionServiceAsyncClient(
        transport=PredictionServiceGrpcAsyncIOTransport(channel=channel)
    )

    async def send(instances: list[Value], seconds: float) -> PredictResponse:
        return await client.predict(
            endpoint=place.resource, instances=instances, retry=None, timeout=seconds
        )

    async def close() -> None:
        await channel.close()

    return PredictClient(_garden(place, prompt_field, send), close)


def _garden(place: GooglePlace, prompt_field: str, send: Predict) -> EndpointGarden:
    return EndpointGarden(
        project=place.project,
        location=place.location,
        endpoint_id=place.name,
        prompt_arg=prompt_field,
        max_retries=1,
        send=send,
    )

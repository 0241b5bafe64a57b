"""The gRPC services of Vertex AI that the fake has, with the messages that Google ships."""

from __future__ import annotations

from typing import Any, NamedTuple

from google.api import httpbody_pb2  # type: ignore[import-untyped]
from google.cloud.aiplatform_v1 import types as v1
from google.cloud.aiplatform_v1beta1 import types as v1beta1


class Service(NamedTuple):
    """A service of Google's, in one version."""

    name: str
    methods: dict[str, Method]


class Method(NamedTuple):
    """A method of a service."""

    name: str
    """As REST has it."""
    request: Any
    response: Any
    """The classes of its messages, as Google ships them."""
    in_pieces: bool = False


def _of_version(types: Any, version: str) -> list[Service]:  # noqa: ANN401  a module
    """The services in one version."""
    root = f"google.cloud.aiplatform.{version}"
    content, reply = types.GenerateContentRequest, types.GenerateContentResponse
    body = httpbody_pb2.HttpBody
    return [
        Service(
            f"{root}.PredictionService",
            {
                "GenerateContent": Method("generateContent", content, reply),
                "StreamGenerateContent": Method(
                    "streamGenerateContent", content, reply, in_pieces=True
                ),
                "CountTokens": Method(
                    "countTokens", types.CountTokensRequest, types.CountTokensResponse
                ),
                "Predict": Method("predict", types.PredictRequest, types.PredictResponse),
            },
        ),
        Service(
            f"{root}.ReasoningEngineService",
            {
                "GetReasoningEngine": Method(
                    "get", types.GetReasoningEngineRequest, types.ReasoningEngine
                )
            },
        ),
        Service(
            f"{root}.ReasoningEngineExecutionService",
            {
                "QueryReasoningEngine": Method(
                    "query", types.QueryReasoningEngineRequest, types.QueryReasoningEngineResponse
                ),
                "StreamQueryReasoningEngine": Method(
                    "streamQuery", types.StreamQueryReasoningEngineRequest, body, in_pieces=True
                ),
            },
        ),
    ]


def services() -> list[Service]:
    """Return the services, in both versions."""
    return [*_of_version(v1, "v1"), *_of_version(v1beta1, "v1beta1")]

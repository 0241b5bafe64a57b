"""The three kinds of agents on Vertex AI keep the contract of all kinds, over REST and gRPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from orchestration.testing.agent_contract import AgentContract
from orchestration.testing.agent_stage import Stage
from tests.integration.vertex_stage import GOOGLES_WARNINGS, vertex_stage

pytestmark = GOOGLES_WARNINGS


class VertexContract(AgentContract):
    transport: ClassVar[str] = "rest"

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        with vertex_stage(self.kind, self.transport) as stage:
            yield stage


class TestChat(VertexContract):
    kind = "vertex_chat"


class TestChatOverGrpc(TestChat):
    transport = "grpc"


class TestPredict(VertexContract):
    kind = "vertex_predict"
    streams = False  # VertexAIModelGarden has no way to
    gives_messages = False
    probes = False


class TestPredictOverGrpc(TestPredict):
    transport = "grpc"


class TestAgentEngine(VertexContract):
    kind = "vertex_agent_engine"


class TestAgentEngineOverGrpc(TestAgentEngine):
    transport = "grpc"

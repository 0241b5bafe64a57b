"""Graphs on a real LangGraph server keep the contract of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestration.testing.agent_contract import AgentContract
from orchestration.testing.agent_stage import Stage
from tests.integration.langgraph_stage import LangGraphServer, LangGraphStage


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LangGraphServer]:
    with LangGraphServer(tmp_path_factory.mktemp("langgraph")).running() as server:
        yield server


class TestRemoteGraph(AgentContract):
    kind = "langgraph"
    passes_upstream = False  # like a Runnable, it gets its input and LangChain's config
    recognises_keys = True  # a key has a thread on the server
    server: LangGraphServer

    @pytest.fixture(autouse=True)
    def _served(self, server: LangGraphServer) -> None:
        self.server = server

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        yield LangGraphStage(self.server)

"""A2A agents keep the contract of all kinds, over loopback and both bindings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.testing.agent_contract import AgentContract
from orchestration.testing.agent_stage import Stage
from orchestration.testing.fake_a2a_agent import FakeA2AAgent


class TestJsonRpc(AgentContract):
    kind = "a2a"
    gives_messages = False

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        with FakeA2AAgent() as agent:
            yield agent


class TestHttpJson(AgentContract):
    kind = "a2a"
    gives_messages = False

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        with FakeA2AAgent(binding="HTTP+JSON") as agent:
            yield agent


class TestWithoutStreaming(AgentContract):
    kind = "a2a"
    gives_messages = False
    streams = False

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        with FakeA2AAgent(streaming=False) as agent:
            yield agent

"""HTTP agents keep the contract of all kinds, over loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.testing.agent_contract import AgentContract
from orchestration.testing.agent_stage import Stage
from orchestration.testing.fake_http_agent import FakeHttpAgent


class TestHttp(AgentContract):
    kind = "http"

    @contextmanager
    def make_stage(self) -> Iterator[Stage]:
        with FakeHttpAgent() as agent:
            yield agent

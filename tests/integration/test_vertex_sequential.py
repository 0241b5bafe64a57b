"""The description's sequential example, with agents on Vertex AI."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import AgentContext, AgentTask, SimpleCoordinator
from orchestration.agent_registry import registry_from_environment
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.kinds import module_of
from orchestration.testing.fake_vertex import FakeVertex, Received, Reply
from orchestration.workflow_events import WorkflowEvent
from state.errors import AgentRateLimitedError
from tests.integration.vertex_stage import GOOGLES_WARNINGS, RESOURCES

pytestmark = GOOGLES_WARNINGS
GUIDE = Path(__file__).resolve().parents[2] / "docs/vertex-ai.md"
WAYS = [(kind, transport) for kind in RESOURCES for transport in ("rest", "grpc")]


@pytest.fixture
def vertex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVertex]:
    """One that wants tokens of default credentials, and answers with what it was asked."""
    with FakeVertex() as vertex:
        file = vertex.credentials_file(tmp_path / "account.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        vertex.script.act = done
        yield vertex


def done(received: Received) -> Reply:
    asked = received.texts[-1].rpartition("\n")[2].removeprefix("Human: ")
    return Reply(pieces=("Done: ", asked), usage=(12, 5))


def coordinator_of(environment: dict[str, str], tmp_path: Path) -> SimpleCoordinator:
    """A coordinator in a process with such variables, over a database file."""
    environment = {"ORCHESTRATION_TEAM_DATABASE": str(tmp_path / "team.db"), **environment}
    registry = registry_from_environment(environment)
    return SimpleCoordinator(registry=registry, database_url=f"sqlite:///{tmp_path / 'runs.db'}")


def example() -> list[AgentTask]:
    """The description's tasks."""
    return [
        AgentTask(
            agent_id="ticketing",
            input_data={"messages": [{"role": "user", "content": "Book 50 tickets"}]},
        ),
        AgentTask(
            agent_id="finance",
            input_data={"messages": [{"role": "user", "content": "Approve expense"}]},
            depends_on=["ticketing"],
        ),
    ]


def said(events: list[WorkflowEvent]) -> dict[str, list[str]]:
    """The pieces of text, by task."""
    found: dict[str, list[str]] = {}
    for event in events:
        if event.kind == "token":
            found.setdefault(str(event.task_id), []).append(str(event.data["text"]))
    return found


@pytest.mark.parametrize(("kind", "transport"), WAYS)
async def test_it_runs_through_googles_client(
    vertex: FakeVertex, kind: str, transport: str, tmp_path: Path
) -> None:
    address = vertex.address(RESOURCES[kind], transport=transport)
    environment = {
        "TICKETING_ENDPOINT": address,
        "TICKETING_KIND": kind,
        "FINANCE_ENDPOINT": address,
        "FINANCE_KIND": kind,
    }
    async with coordinator_of(environment, tmp_path) as coordinator:
        results = await coordinator.execute_sequential(example())
        events = [event async for event in coordinator.stream(example())]
    assert results.status == "completed"
    assert results["ticketing"].output["content"] == "Done: Book 50 tickets"
    assert results["finance"].output["content"] == "Done: Approve expense"
    for result in (results["ticketing"], results["finance"]):
        assert result.outcome is not None
        assert result.outcome["usage"] == {"input_tokens": 12, "output_tokens": 5}
        assert result.outcome["routing"]["why"] == "the only endpoint"
    pieces = {
        "ticketing": ["Done: ", "Book 50 tickets"],
        "finance": ["Done: ", "Approve expense"],
    }
    if kind == "vertex_predict":  # its client has no way to have text in pieces
        pieces = {task: ["".join(heard)] for task, heard in pieces.items()}
    assert said(events) == pieces
    assert {each.token for each in vertex.script.received} == set(vertex.tokens.given)
    assert {each.transport for each in vertex.script.received} == {transport}
    second = vertex.script.received[1]
    assert "Done: Book 50 tickets" in str(second.body), "what came before is not passed on"


async def test_beside_the_built_in_team(vertex: FakeVertex, tmp_path: Path) -> None:
    """Only tickets are sold at Google."""
    address = vertex.address("reasoningEngines/9")
    vertex.script.act = Reply(value={"content": "Booked.", "total_price": 4200.0})
    async with coordinator_of({"TICKETING_ENDPOINT": address}, tmp_path) as coordinator:
        results = await coordinator.execute_sequential(example())
    assert results.status == "completed"
    assert results["ticketing"].output["total_price"] == 4200
    assert len(vertex.script.received) == 1


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")  # so that it is put back
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    found: list[object] = []

    async def ask(address: str) -> None:
        agent = module_of("vertex_chat").connect(Endpoint(kind="vertex_chat", address=address))
        for task in ("limited", "answered"):
            context = AgentContext("thread-1", task, "run-1", f"run-1:{task}")
            try:
                found.append((await agent.call({"action": task}, context))["content"])
            except AgentRateLimitedError as error:
                found.append(error.retry_after)
        await agent.close()

    source = block.replace("    ...\n", "    asyncio.run(ask(address))\n")
    exec(source, {"folder": tmp_path, "ask": ask, "asyncio": asyncio})  # noqa: S102  our own text
    assert found == [7, "Two seats."]

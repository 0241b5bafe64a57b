"""What is known of endpoints survives a process, and counts for all that share a database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints.database import Database
from checkpoints.traffic import Place
from orchestration import (
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRegistry,
    AgentSpec,
    AgentUnavailableError,
    Endpoint,
    open_database,
)
from orchestration.routing.endpoint_state import EndpointState
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject
from tests.unit.orchestration.routing.stage import Clock, Places, call, registry_of

NOT = AgentNotStartedError("nothing listens there")


class Processes:
    """Registries as several processes have them, over one database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.places = Places()
        self.databases: list[Database] = []

    def start(self, *names: str) -> AgentRegistry:
        database = open_database(f"sqlite:///{self.path}")
        self.databases.append(database)
        ends = [
            self.places.endpoint(name, priority=-at) for at, name in enumerate(names or ("a", "b"))
        ]
        registry = registry_of(AgentSpec("agent", endpoints=ends), clock=self.clock)
        registry.share(database.traffic)
        return registry


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "shared.db")
    yield made
    for database in made.databases:
        database.close()


def endpoint(registry: AgentRegistry, name: str = "a") -> EndpointState:
    found = registry.router.endpoint(Place("agent", "1", name))
    assert found is not None
    return found


async def fail(registry: AgentRegistry, times: int = 5) -> None:
    for _ in range(times):
        await call(registry)
    await registry.flush()


async def test_a_breaker_stays_open_over_a_restart(processes: Processes) -> None:
    processes.places.errors["a"] = NOT
    await fail(processes.start())
    restarted = processes.start()
    assert (await call(restarted))[0] == {"by": "b"}
    assert processes.places.calls["a"] == 5  # not once more
    processes.clock.pass_(10)
    processes.places.errors.clear()
    assert (await call(restarted))[0] == {"by": "a"}
    await restarted.flush()
    third = processes.start()
    await third.sync()
    assert not endpoint(third).breaker.is_open


async def test_what_one_process_finds_out_the_others_know_within_a_second(
    processes: Processes,
) -> None:
    first, second = processes.start(), processes.start()
    await call(second)  # it has read the database
    processes.places.errors["a"] = NOT
    await fail(first)
    processes.clock.pass_(1)
    before = processes.places.calls["a"]
    await second.sync()
    assert (await call(second))[0] == {"by": "b"}
    assert processes.places.calls["a"] == before


async def test_a_pause_that_an_endpoint_asked_for_holds_for_all(processes: Processes) -> None:
    processes.places.errors["a"] = AgentRateLimitedError("later", retry_after=30)
    first = processes.start()
    await fail(first, 1)
    second = processes.start()
    assert (await call(second))[0] == {"by": "b"}
    assert processes.places.calls["a"] == 1


async def test_of_all_processes_one_probes_a_half_open_endpoint(processes: Processes) -> None:
    registries = [processes.start() for _ in range(4)]
    processes.places.errors["a"] = NOT
    await fail(registries[0])
    for registry in registries:
        await registry.sync()
    processes.clock.pass_(1)
    for registry in registries[1:]:
        await registry.sync()
        assert endpoint(registry).breaker.is_open
    processes.clock.pass_(9)
    before = processes.places.calls["a"]
    replies = await asyncio.gather(*(call(each) for each in registries for _ in range(5)))
    assert {str(reply) for reply, _ in replies} == {"{'by': 'b'}"}
    assert processes.places.calls["a"] == before + 1


async def test_a_switch_holds_for_all_and_over_restarts(processes: Processes) -> None:
    first, second = processes.start(), processes.start()
    await first.switch(Place("agent", "1", "a"), "disabled", by="ann", reason="maintenance")
    processes.clock.pass_(1)
    await second.sync()
    for registry in (first, second, processes.start()):
        assert (await call(registry))[0] == {"by": "b"}
    await second.switch(Place("agent", "1", "a"), "enabled", by="ann")
    assert (await call(processes.start()))[0] == {"by": "a"}


async def test_a_database_that_fails_stops_no_call(
    processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    registry = processes.start()
    processes.databases[0].close()
    processes.places.errors["a"] = NOT
    for _ in range(8):
        assert (await call(registry))[0] == {"by": "b"}
    assert processes.places.calls["a"] == 5
    await registry.flush()
    assert "this process goes on without: the database is closed" in caplog.text
    processes.places.errors["b"] = NOT
    for _ in range(5):
        await call(registry)
    assert isinstance((await call(registry))[0], AgentUnavailableError)


async def half_open(processes: Processes, registry: AgentRegistry) -> None:
    """Open the breaker of `a`, and let its time pass."""
    processes.places.errors["a"] = NOT
    await fail(registry)
    assert endpoint(registry).breaker.is_open
    processes.clock.pass_(10)
    await registry.sync()


async def test_a_probe_whose_claim_fails_stops_no_call_and_takes_no_place(
    processes: Processes,
) -> None:
    registry = processes.start()
    await half_open(processes, registry)
    processes.databases[0].close()
    del processes.places.errors["a"]
    assert (await call(registry))[0] == {"by": "a"}
    assert endpoint(registry).outstanding == 0
    assert not endpoint(registry).breaker.is_open


async def test_a_caller_that_leaves_while_it_claims_a_probe_gives_the_place_back(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = processes.start()
    await half_open(processes, registry)
    claiming = asyncio.Event()

    async def never(_endpoint: EndpointState) -> bool:
        claiming.set()
        await asyncio.Event().wait()
        return True

    assert registry.router.sharing is not None
    with monkeypatch.context() as patched:
        patched.setattr(registry.router.sharing, "claim_probe", never)
        leaving = asyncio.create_task(call(registry))
        await claiming.wait()
        leaving.cancel()
        await asyncio.wait([leaving])
    assert endpoint(registry).outstanding == 0
    del processes.places.errors["a"]
    assert (await call(registry))[0] == {"by": "a"}


async def test_a_process_that_knows_less_than_the_database_sends_one_probe_too(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = processes.start(), processes.start()
    await half_open(processes, first)
    await second.sync()
    shared = endpoint(second)
    assert first.router.sharing is not None
    first.router.sharing.tell(endpoint(first))  # a revision that the second has not seen
    await first.flush()
    release, begun = asyncio.Event(), []

    async def slow(_input: JsonObject, _context: AgentContext) -> JsonObject:
        begun.append("a")
        await release.wait()
        return {"by": "a"}

    monkeypatch.setattr(second.router.connector(shared), "call", slow)
    calls = [asyncio.create_task(call(second))]
    for _ in range(5):
        await asyncio.sleep(0.02)
        calls.append(asyncio.create_task(call(second)))
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.05)
    assert begun == ["a"]
    release.set()
    await asyncio.wait(calls)


async def test_another_database_is_told_everything_anew(
    processes: Processes, tmp_path: Path
) -> None:
    registry = processes.start()
    await half_open(processes, registry)
    registry.unshare(processes.databases[0].traffic)
    processes.databases[0].close()
    processes.path = tmp_path / "other.db"
    other = processes.start()
    registry.share(processes.databases[1].traffic)
    del processes.places.errors["a"]
    assert (await call(registry))[0] == {"by": "a"}
    await registry.flush()
    processes.places.errors["a"] = NOT
    await fail(other)
    processes.clock.pass_(1)
    await registry.sync()
    assert endpoint(registry).breaker.is_open


async def test_what_was_known_of_another_address_does_not_hold_for_this_one(
    processes: Processes,
) -> None:
    def started(address: str) -> AgentRegistry:
        database = open_database(f"sqlite:///{processes.path}")
        processes.databases.append(database)
        ends = [Endpoint(endpoint_id="a", address=address)]
        registry = registry_of(AgentSpec("agent", endpoints=ends), clock=processes.clock)
        registry.share(database.traffic)
        return registry

    first = started("https://old.example.com/agent")
    at = endpoint(first)
    at.breaker = at.breaker._replace(is_open=True, due=processes.clock() + 300)
    first.router.changed(at)
    await first.flush()
    second, third = (
        started("https://new.example.com/agent"),
        started("https://old.example.com/agent"),
    )
    for registry in (second, third):
        await registry.sync()
    assert not endpoint(second).breaker.is_open
    assert endpoint(third).breaker.is_open


async def test_one_that_knows_nothing_of_an_open_breaker_does_not_close_it(
    processes: Processes,
) -> None:
    first, second, third = (processes.start() for _ in range(3))
    processes.places.errors["a"] = NOT
    await second.sync()
    await fail(first)
    processes.places.errors["a"] = AgentRateLimitedError("later", retry_after=1)
    await call(second)  # within the second in which it does not know yet
    await second.flush()
    await third.sync()
    assert endpoint(third).breaker.is_open
    assert endpoint(third).limited_until > processes.clock()

"""What somebody spoilt in the shared tables stops no process, and hides nothing else from it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from checkpoints.traffic import Place
from orchestration import AgentNotStartedError, AgentRegistry, AgentSpec, open_database
from orchestration.agents.endpoint import Endpoint
from orchestration.routing.endpoint_state import EndpointState
from orchestration.routing.policies import Resilience
from orchestration.routing.shared_state import as_state
from tests.unit.orchestration.routing.stage import Clock, Places, call, registry_of

GOOD = as_state(
    EndpointState("agent", "1", Endpoint(handler=print, kind="local"), resilience=Resilience())
)
GONE = AgentNotStartedError("nothing listens there")
WRONG: list[Any] = [None, "soon", -1, [], {"a": 1}, float("nan"), float("inf"), 10**400]
SPOILT = [
    "",
    "no JSON",
    "[]",
    "null",
    "{}",
    "[" * 100_000,
    *(
        json.dumps({**GOOD, name: value})
        for name in GOOD
        for value in WRONG
        if (name, value) != ("ejected_why", "soon")
    ),
]


class Shared:
    """A database with the row of endpoint `a` as somebody left it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock, self.places = Clock(), Places()
        self.database = open_database(f"sqlite:///{path}")
        asyncio.run(self._begin())

    async def _begin(self) -> None:
        await self.database.traffic.states()

    def spoil(self, state: str, revision: object = 7) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(
                "INSERT OR REPLACE INTO orchestration_endpoint_states "
                "(agent_id, version, endpoint, state, revision, updated_at) "
                "VALUES ('agent', '1', 'a', ?, ?, 0)",
                (state, revision),
            )

    def row(self) -> Any:  # noqa: ANN401
        with closing(sqlite3.connect(self._path)) as connection:
            return connection.execute(
                "SELECT state, revision FROM orchestration_endpoint_states"
            ).fetchone()

    def process(self) -> AgentRegistry:
        ends = [self.places.endpoint(name, priority=-at) for at, name in enumerate("abc")]
        registry = registry_of(AgentSpec("agent", endpoints=ends), clock=self.clock)
        registry.share(self.database.traffic)
        return registry


@pytest.fixture
def shared(tmp_path: Path) -> Any:  # noqa: ANN401
    made = Shared(tmp_path / "shared.db")
    yield made
    made.database.close()


@pytest.mark.parametrize("state", SPOILT, ids=lambda state: state[:20])
async def test_a_spoilt_state_stops_no_call_and_hides_no_switch(shared: Shared, state: str) -> None:
    other = shared.process()
    await other.switch(Place("agent", "1", "a"), "disabled", by="ann")
    shared.spoil(state)
    registry = shared.process()
    assert (await call(registry))[0] == {"by": "b"}
    await registry.switch(Place("agent", "1", "a"), "enabled", by="ann")
    assert (await call(registry))[0] == {"by": "a"}


async def test_it_is_written_over_by_who_knows_better(shared: Shared) -> None:
    shared.spoil("[]")
    registry = shared.process()
    shared.places.errors["a"] = GONE
    for _ in range(5):
        await call(registry)
    await registry.flush()
    state, revision = shared.row()
    assert json.loads(state)["open"] is True
    assert revision > 7


@pytest.mark.parametrize("revision", ["seven", None, 2.5, 2**62])
async def test_a_spoilt_revision_stops_nothing(shared: Shared, revision: object) -> None:
    shared.places.errors["a"] = GONE
    registry = shared.process()
    for _ in range(5):
        await call(registry)
    await registry.flush()
    try:
        shared.spoil(json.dumps({**GOOD, "open": True}), revision)
    except sqlite3.IntegrityError:
        return
    shared.clock.pass_(3600)
    async with asyncio.timeout(20):
        await asyncio.gather(*(call(registry) for _ in range(3)))
        await registry.flush()
        assert (await call(shared.process()))[0] in ({"by": "a"}, {"by": "b"})


async def test_a_row_that_is_deleted_under_a_probe_stops_nothing(shared: Shared) -> None:
    shared.places.errors["a"] = GONE
    registry = shared.process()
    for _ in range(5):
        await call(registry)
    await registry.flush()
    with closing(sqlite3.connect(shared._path)) as connection, connection:
        connection.execute("DELETE FROM orchestration_endpoint_states")
    shared.clock.pass_(3600)
    shared.places.errors.clear()
    assert (await call(registry))[0] == {"by": "a"}


async def test_a_probe_is_made_where_the_database_fails(shared: Shared) -> None:
    shared.places.errors["a"] = GONE
    registry = shared.process()
    for _ in range(5):
        await call(registry)
    await registry.flush()
    shared.database.close()
    shared.clock.pass_(3600)
    shared.places.errors.clear()
    assert (await call(registry))[0] == {"by": "a"}

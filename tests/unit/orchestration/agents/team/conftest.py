from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.agents.team import Team
from state.agent_context import AgentContext
from state.jsonvalue import JsonObject


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "team.db"


@pytest.fixture
def team(database: Path) -> Team:
    # a Monday; jazz is on the next day, a concert on Wednesday
    return Team(database, clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))


@pytest.fixture
def call(team: Team) -> Callable[..., JsonObject]:
    """Call an agent: `call("ticketing", "Book 10 tickets", quantity=3)`."""
    numbers = itertools.count(1)

    def _call(
        agent: str,
        text: str | None = None,
        *,
        key: str | None = None,
        upstream: dict[str, JsonObject] | None = None,
        user: str | None = None,
        **fields: object,
    ) -> JsonObject:
        messages = [] if text is None else [{"role": "user", "content": text}]
        context = AgentContext(
            thread_id="thread",
            task_id=agent,
            run_id="run",
            idempotency_key=key or f"key-{next(numbers)}",
            upstream=upstream or {},
            user=user,
        )
        answer: JsonObject = getattr(team, agent)({"messages": messages, **fields}, context)
        return answer

    return _call


@pytest.fixture
def rows(database: Path) -> Callable[..., list[JsonObject]]:
    """Read the database as anybody with SQLite would."""

    def _rows(query: str, *values: str | int) -> list[JsonObject]:
        with closing(sqlite3.connect(database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    return _rows

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from checkpoints.database import Database, connect
from checkpoints.serializer import strict_serializer
from state.errors import DatabaseError
from tests.unit.checkpoints.hostile import HOSTILE, extension

THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}
REFUSED_BY_EVERYONE = {"method", "json 1"}
"""Forms that LangGraph's most permissive serializer does not execute either."""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "executed"


@pytest.mark.parametrize("form", HOSTILE)
def test_a_hostile_row_is_not_executed(database: Database, trace: Path, form: str) -> None:
    _save_one(database)
    _overwrite(database, *HOSTILE[form](f"touch {shlex.quote(str(trace))}"))
    with suppress(DatabaseError):  # refusing it is as good as bare data
        database.checkpointer.get_tuple(THREAD)
    assert not trace.exists()


@pytest.mark.parametrize("form", sorted(HOSTILE.keys() - REFUSED_BY_EVERYONE))
def test_a_permissive_serializer_does_execute_these_rows(trace: Path, form: str) -> None:
    permissive = JsonPlusSerializer(
        pickle_fallback=True, allowed_json_modules=True, allowed_msgpack_modules=True
    )
    permissive.loads_typed(HOSTILE[form](f"touch {shlex.quote(str(trace))}"))
    assert trace.exists()


def test_a_type_that_is_not_allowed_comes_back_as_bare_data() -> None:
    row = extension(2, "subprocess", "call", {"args": "x"})
    assert strict_serializer().loads_typed(row) == {"x": {"args": "x"}}


def test_a_row_cannot_read_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "s3cret")
    row = {"x": {"lc": 1, "type": "secret", "id": ["SOME_API_KEY"]}}
    assert strict_serializer().loads_typed(("json", json.dumps(row).encode())) == {"x": None}


@pytest.mark.parametrize(
    "value", [None, True, 2**63 - 1, 0.1, "ü", [], {"a": [1, {"b": None}]}, b"raw"]
)
def test_json_values_come_back_as_they_were(value: Any) -> None:  # noqa: ANN401
    serializer = strict_serializer()
    assert serializer.loads_typed(serializer.dumps_typed(value)) == value


def _save_one(database: Database) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    database.checkpointer.put(config, empty_checkpoint(), {}, {})


def _overwrite(database: Database, kind: str, value: bytes) -> None:
    connection = connect(Path(database.url.removeprefix("sqlite:///")))
    connection.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (kind, value))
    connection.close()

"""The team's database: a SQLite file made and filled on first use, and effects done once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from checkpoints.database import BUSY_SECONDS, retry_while_locked
from orchestration.agents.team import schema, seed
from state.errors import AgentRefusedError, DatabaseError
from state.jsonvalue import json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from orchestration.agents.team.ask import Ask
    from state.jsonvalue import JsonObject


class TeamDatabase:
    """Opens a connection for each call; nothing is shared between threads or processes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to the ready database; it is closed afterwards.

        Raises:
            DatabaseError: The file cannot be made or used.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection:
                self._prepare(connection)
                yield connection
        except (sqlite3.Error, OSError) as error:
            message = (
                f"the team's database {str(self._path)!r} cannot be used: {error}. It must be a "
                "SQLite file, or a path where one can be made, and not be locked for long."
            )
            raise DatabaseError(message) from error

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = _version(connection)
        if version > schema.VERSION:
            message = (
                f"the team's database {str(self._path)!r} has schema version {version}; this "
                f"release knows {schema.VERSION} and older. Update the package, or use "
                "another file."
            )
            raise DatabaseError(message)
        if version < schema.VERSION:
            retry_while_locked(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
            with transaction(connection):
                _bring_up_to_date(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write in one transaction: the one that is open, or else a new one.

    A new one takes the write lock at its start (`BEGIN IMMEDIATE`), so what it reads
    stays true until it commits.
    """
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def perform_once(
    connection: sqlite3.Connection,
    ask: Ask,
    *,
    agent_id: str,
    effect: Callable[[sqlite3.Connection, Ask], JsonObject],
) -> JsonObject:
    """Perform `effect` unless its idempotency key is recorded; return its response.

    The response is recorded in the effect's own transaction. A refusal rolls back and
    records nothing, so the same key may succeed later.

    Raises:
        AgentRefusedError: The effect refused, or the key was used for another request.
    """
    with transaction(connection):
        recorded = _recorded(connection, ask, agent_id=agent_id)
        if recorded is None:
            recorded = json.dumps(effect(connection, ask))
            connection.execute(
                "INSERT INTO idempotency (agent, key, request_hash, response, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (agent_id, ask.key, _request_hash(ask), recorded, ask.now.isoformat()),
            )
    return json_object(json.loads(recorded), at="response")


def _recorded(connection: sqlite3.Connection, ask: Ask, *, agent_id: str) -> str | None:
    row = connection.execute(
        "SELECT request_hash, response FROM idempotency WHERE agent = ? AND key = ?",
        (agent_id, ask.key),
    ).fetchone()
    if row is None:
        return None
    if row["request_hash"] != _request_hash(ask):
        message = (
            f"The idempotency key {ask.key!r} was already used for another request to {agent_id}; "
            "nothing was done. Repeat the first request unchanged, or use a new key."
        )
        raise AgentRefusedError(message)
    return str(row["response"])


def _request_hash(ask: Ask) -> str:
    canonical = json.dumps(ask.fields, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make what the file lacks; another process may have done so meanwhile."""
    version = _version(connection)
    if version >= schema.VERSION:
        return
    if version == 0:
        for statement in schema.TABLES:
            connection.execute(statement)
        seed.fill(connection)
    for number, statements in schema.UPGRADES.items():
        if number > max(version, 1):
            for statement in statements:
                connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {schema.VERSION:d}")

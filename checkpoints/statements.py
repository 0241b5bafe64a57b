"""SQLAlchemy Core statements on a connection, inside somebody else's transaction.

On SQLite the group-commit writer owns its connection and its transactions, and SQLAlchemy's
own connections want to own theirs. So there statements are only built by SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection
    from sqlalchemy.sql import Executable
    from sqlalchemy.sql.elements import ClauseElement

Rows = Sequence[Mapping[str, Any]]
Execute = Callable[["Executable"], Rows]
"""Runs one statement; returns its rows, none for a statement without any."""

_DIALECT = sqlite.dialect()


def on_sqlite(connection: sqlite3.Connection) -> Execute:
    """Return what executes statements on `connection`."""
    return partial(_execute, connection)


def on_sqlalchemy(connection: Connection) -> Execute:
    """Return what executes statements on `connection`, of whatever database it is."""

    def execute(statement: Executable) -> Rows:
        result = connection.execute(statement)
        return [dict(row) for row in result.mappings()] if result.returns_rows else ()

    return execute


def _execute(connection: sqlite3.Connection, statement: Executable) -> Rows:
    compiled = cast("ClauseElement", statement).compile(
        dialect=_DIALECT, compile_kwargs={"render_postcompile": True}
    )
    values = compiled.params
    names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
    cursor = connection.execute(str(compiled), [values[name] for name in names])
    if cursor.description is None:
        return ()
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

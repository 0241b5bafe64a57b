"""SQLAlchemy Core statements on a connection, inside somebody else's transaction.

On SQLite the group-commit writer owns its connection and its transactions, and SQLAlchemy's
own connections want to own theirs. So there statements are only built by SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from sqlalchemy import Insert
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection
    from sqlalchemy.sql import Executable
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import ClauseElement

Rows = Sequence[Mapping[str, Any]]


class Execute(Protocol):
    """Runs one statement; returns its rows, none for a statement without any."""

    def __call__(self, statement: Executable, values: Mapping[str, Any] | None = None, /) -> Rows:
        """Give `values` for a statement that is a constant: it is compiled once for all."""
        ...


_DIALECT = sqlite.dialect()
_CONSTANTS: dict[ClauseElement, SQLCompiler] = {}
"""Compiling takes longer than SQLite does, so what stands in a module is compiled once."""


def on_sqlite(connection: sqlite3.Connection) -> Execute:
    """Return what executes statements on `connection`."""
    return partial(_execute, connection)


def on_sqlalchemy(connection: Connection) -> Execute:
    """Return what executes statements on `connection`, of whatever database it is."""

    def execute(statement: Executable, values: Mapping[str, Any] | None = None, /) -> Rows:
        result = connection.execute(statement, dict(values or {}))
        return [dict(row) for row in result.mappings()] if result.returns_rows else ()

    return execute


def _execute(
    connection: sqlite3.Connection,
    statement: Executable,
    given: Mapping[str, Any] | None = None,
    /,
) -> Rows:
    compiled = _compiled(cast("ClauseElement", statement), given)
    values = {**compiled.params, **(given or {})}
    names: Sequence[str] = compiled.positiontup or ()
    cursor = connection.execute(str(compiled), [values[name] for name in names])
    if cursor.description is None:
        return ()
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _compiled(statement: ClauseElement, given: Mapping[str, Any] | None) -> SQLCompiler:
    known = _CONSTANTS.get(statement)
    if known is None:
        columns = list(given) if given is not None and isinstance(statement, Insert) else None
        compiled = statement.compile(
            dialect=_DIALECT, column_keys=columns, compile_kwargs={"render_postcompile": True}
        )
        known = cast("SQLCompiler", compiled)
        if given is not None:
            _CONSTANTS[statement] = known
    return known

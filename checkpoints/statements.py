"""SQLAlchemy Core statements on a plain SQLite connection, inside somebody else's transaction.

The group-commit writer owns its connection and its transactions, and SQLAlchemy's own
connections want to own theirs. So statements are only built by SQLAlchemy, and run here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.sql import Executable
    from sqlalchemy.sql.elements import ClauseElement

Rows = Sequence[Mapping[str, Any]]
Execute = Callable[["Executable"], Rows]
"""Runs one statement; returns its rows, none for a statement without any."""

_DIALECT = sqlite.dialect()


def on_sqlite(connection: sqlite3.Connection) -> Execute:
    """Return what executes statements on `connection`."""
    return partial(_execute, connection)


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

"""SQLAlchemy Core statements on a connection, inside somebody else's transaction.

On SQLite the group-commit writer owns its connection and its transactions, and SQLAlchemy's
own connections want to own theirs. So there statements are only built by SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

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


MOST_COMPILED: Final = 200
"""Forms of statements that are kept; the ledger has some twenty."""

_DIALECT = sqlite.dialect()
_CONSTANTS: dict[ClauseElement, SQLCompiler] = {}
_COMPILED: dict[tuple[Any, ...], SQLCompiler] = {}


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
    if given is None:
        compiled, values = _compiled(cast("ClauseElement", statement))
    else:
        compiled, values = _constant(cast("ClauseElement", statement), given), given
    names: Sequence[str] = compiled.positiontup or ()
    cursor = connection.execute(str(compiled), [values[name] for name in names])
    if cursor.description is None:
        return ()
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _constant(statement: ClauseElement, values: Mapping[str, Any]) -> SQLCompiler:
    """Compile a statement that stands in a module and is given its values."""
    known = _CONSTANTS.get(statement)
    if known is None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(values))
        known = _CONSTANTS[statement] = cast("SQLCompiler", compiled)
    return known


def _compiled(statement: ClauseElement) -> tuple[SQLCompiler, Mapping[str, Any]]:
    """Compile a statement, or find one of the same form: compiling takes longer than SQLite does.

    This is what SQLAlchemy's engines do with the key that it makes of a statement.
    """
    key = statement._generate_cache_key()  # noqa: SLF001  as said above
    known = None if key is None else _COMPILED.get(key.key)
    if known is not None and key is not None:
        return known, known.construct_params(extracted_parameters=key.bindparams)
    compiled = cast(
        "SQLCompiler",
        statement.compile(
            dialect=_DIALECT, cache_key=key, compile_kwargs={"render_postcompile": True}
        ),
    )
    if key is not None and not compiled.post_compile_params:  # the number of those may differ
        if len(_COMPILED) >= MOST_COMPILED:
            _COMPILED.clear()
        _COMPILED[key.key] = compiled
    return compiled, compiled.params

"""Bring the project's own tables to the newest schema, through Alembic."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from state.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NEWEST: Final = "0010"
"""The revision that this version of the project works with."""
VERSION_TABLE: Final = "orchestration_schema"
MIGRATION_LOCK: Final = 0x6F72636865737401
"""The advisory lock that processes migrate a Postgres database under."""


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether nothing has to be migrated; costs no import of Alembic."""
    return _revision(connection) == NEWEST


def migrate_sqlite(connect: Callable[[], sqlite3.Connection]) -> None:
    """Migrate a SQLite database in one transaction; processes do it one after another.

    Args:
        connect: Opens a connection in autocommit mode.

    Raises:
        DatabaseError: A newer version of this project wrote the database.
        sqlite3.Error: The file cannot be used, or has something in the way.
    """
    from sqlalchemy import create_engine  # noqa: PLC0415  heavy, and rarely needed
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        raise (error.orig if isinstance(error.orig, sqlite3.Error) else error) from None


def migrate_postgres(engine: Engine) -> None:
    """Migrate a Postgres database in one transaction; processes do it one after another.

    Raises:
        DatabaseError: A newer version of this project wrote the database.
    """
    from sqlalchemy import func, select  # noqa: PLC0415  heavy, and rarely needed

    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    """Migrate inside the transaction that the caller has begun, and will commit."""
    from alembic import command  # noqa: PLC0415  heavy, and rarely needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    revision = context.get_current_revision()
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"the database has schema {revision!r}, and this version knows only up to "
            f"{NEWEST!r}; update agent-orchestration-layer, or use another database"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: sqlite3.Connection) -> str | None:
    tables = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if connection.execute(tables, (VERSION_TABLE,)).fetchone() is None:
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608
    return None if row is None else str(row[0])

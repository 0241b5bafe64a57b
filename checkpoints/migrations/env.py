"""Alembic's entry point: migrates the connection that `migrate` hands over.

Whoever hands it over has begun a transaction and ends it, so that processes that start at
once migrate one after another, and a migration that fails leaves nothing behind.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="orchestration_schema",
    transactional_ddl=False,
)
context.run_migrations()

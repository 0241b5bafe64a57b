"""What processes know together of agents' endpoints, where calls went, and what they cost.

Nothing here is encrypted: these are names of agents, ids and numbers, and no contents.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Index, Integer, Text, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_HAS_TENANT = text("tenant IS NOT NULL")


def upgrade() -> None:
    """Create the tables."""
    op.create_table("orchestration_endpoint_states", *_place(), *_state(), sqlite_with_rowid=False)
    op.create_table("orchestration_switches", *_place(), *_switch(), sqlite_with_rowid=False)
    op.create_table(
        "orchestration_assignments",
        Column("thread_id", Text, primary_key=True),
        Column("agent_id", Text, primary_key=True),
        Column("version", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orchestration_dispatches",
        Column("idempotency_key", Text, primary_key=True),
        Column("thread_id", Text, nullable=False),
        Column("agent_id", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("endpoint", Text, nullable=False),
        Index("orchestration_dispatches_by_thread", "thread_id"),
        sqlite_with_rowid=False,
    )
    _create_calls()


def _place() -> list[Column[str]]:
    names = ("agent_id", "version", "endpoint")
    return [Column(name, Text, primary_key=True) for name in names]


def _state() -> list[Column[object]]:
    return [
        Column("state", Text, nullable=False),  # JSON
        Column("revision", BigInteger, nullable=False),
        Column("updated_at", Double, nullable=False),
    ]


def _switch() -> list[Column[object]]:
    return [
        Column("switch", Text, nullable=False),
        Column("switched_by", Text),
        Column("reason", Text, nullable=False),
        Column("switched_at", Double, nullable=False),
    ]


def _create_calls() -> None:
    op.create_table(
        "orchestration_calls",
        Column("run_id", Text, primary_key=True),
        Column("path", Text, primary_key=True),
        Column("thread_id", Text, nullable=False),
        Column("tenant", Text),
        Column("agent_id", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("endpoint", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("calls", Integer, nullable=False),
        Column("seconds", Double, nullable=False),
        Column("input_tokens", BigInteger, nullable=False),
        Column("output_tokens", BigInteger, nullable=False),
        Column("cost", Double),
        Column("finished_at", Double, nullable=False),
        Index("orchestration_calls_by_time", "finished_at"),
        Index("orchestration_calls_by_agent", "agent_id", "finished_at"),
        Index(
            "orchestration_calls_by_tenant",
            "tenant",
            "finished_at",
            sqlite_where=_HAS_TENANT,
            postgresql_where=_HAS_TENANT,
        ),
        sqlite_with_rowid=False,
    )

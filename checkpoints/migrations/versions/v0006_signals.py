"""Signals that were sent to threads, also before anything waits for them."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, Text, UniqueConstraint

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "orchestration_signals",
        Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("schema_version", Integer, nullable=False),
        Column("signal_id", Text, nullable=False),
        Column("thread_id", Text, nullable=False),
        Column("run_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("payload", Text, nullable=False),
        Column("sent_by", Text),
        Column("sent_at", Double, nullable=False),
        Column("taken_for", Text),
        UniqueConstraint("thread_id", "signal_id"),
    )

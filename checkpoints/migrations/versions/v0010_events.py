"""What happened in runs that somebody streams, in order; the contents are sealed."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; its key begins with the thread, with which events go."""
    op.create_table(
        "orchestration_events",
        Column("thread_id", Text, primary_key=True),
        Column("run_id", Text, primary_key=True),
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("kind", Text, nullable=False),
        Column("task_id", Text, nullable=False),
        Column("data", Text, nullable=False),  # JSON, sealed
        Column("created_at", Double, nullable=False),
        sqlite_with_rowid=False,
    )

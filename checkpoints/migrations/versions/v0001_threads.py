"""One row a thread: its plan and its lease.

Databases from before there were migrations have this table already.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Index, Integer, MetaData, Table, Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

THREADS = Table(
    "orchestration_threads",
    MetaData(),
    Column("thread_id", Text, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("signature", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("lease_token", Integer, nullable=False),
    Column("lease_holder", Text),
    Column("lease_expires_at", Double, nullable=False),
)
Index("orchestration_threads_by_update", THREADS.c.updated_at.desc())


def upgrade() -> None:
    """Create the table where it is missing."""
    THREADS.metadata.create_all(op.get_bind(), checkfirst=True)

"""What attempts of runs with budgets used up, and what people granted beyond a budget.

Nothing here is encrypted: these are ids and numbers, and no contents.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Index, Text, text

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_HAS_TENANT = text("tenant IS NOT NULL")


def upgrade() -> None:
    """Create the table."""
    measures = ("tokens", "cost", "seconds", "attempts")
    op.create_table(
        "orchestration_spending",
        Column("spending_key", Text, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("run_id", Text, nullable=False),
        Column("thread_id", Text, nullable=False),
        Column("tenant", Text),
        Column("at", Double, nullable=False),
        *(Column(name, Double, nullable=False) for name in measures),
        Index("orchestration_spending_by_run", "run_id"),
        Index("orchestration_spending_by_thread", "thread_id", "at"),
        Index(
            "orchestration_spending_by_tenant",
            "tenant",
            "at",
            sqlite_where=_HAS_TENANT,
            postgresql_where=_HAS_TENANT,
        ),
        sqlite_with_rowid=False,
    )

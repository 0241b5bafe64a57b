"""How long threads are kept once they have finished."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "orchestration_thread_expiry",
        Column("thread_id", Text, primary_key=True),
        Column("expires_after_seconds", Double, nullable=False),
    )

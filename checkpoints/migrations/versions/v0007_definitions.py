"""Which workflow a thread runs, what became of it when that changed, and results of its turns."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Index, Integer, Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NO_REPLACE = """
CREATE TRIGGER IF NOT EXISTS orchestration_approval_audit_no_replace
BEFORE INSERT ON orchestration_approval_audit
WHEN EXISTS (SELECT 1 FROM orchestration_approval_audit WHERE entry = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'the approval audit is append-only'); END
"""


def upgrade() -> None:
    """Add columns and tables, and a trigger that early databases did not get with 0002."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_NO_REPLACE)
    op.add_column("orchestration_threads", Column("definition_name", Text))
    op.add_column("orchestration_threads", Column("definition_version", Text))
    op.create_table(
        "orchestration_upgrades",
        Column("entry", Integer, primary_key=True),
        Column("thread_id", Text, nullable=False),
        Column("run_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("old_version", Text, nullable=False),
        Column("new_version", Text, nullable=False),
        Column("old_signature", Text, nullable=False),  # sealed, as is the next
        Column("new_signature", Text, nullable=False),
        Column("differences", Text, nullable=False),  # sealed JSON
        Column("by", Text),
        Column("at", Double, nullable=False),
        Index("orchestration_upgrades_by_thread", "thread_id"),
    )
    op.create_table(
        "orchestration_turns",
        Column("thread_id", Text, primary_key=True),
        Column("run_id", Text, primary_key=True),
        Column("turn", Integer, nullable=False),
        Column("status", Text, nullable=False),
        Column("result", Text, nullable=False),  # sealed JSON
        Column("finished_at", Double, nullable=False),
    )

"""The messages of threads, which stay as they are until their thread goes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Integer, MetaData, Table, Text, UniqueConstraint

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MESSAGES = Table(
    "orchestration_messages",
    MetaData(),
    Column("thread_id", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("thread_id", "sequence"),
    UniqueConstraint("thread_id", "run_id", "position"),
)
_SQLITE = (
    """
    CREATE TRIGGER orchestration_messages_stay
    BEFORE UPDATE ON orchestration_messages
    BEGIN SELECT RAISE(ABORT, 'a recorded message cannot be changed'); END
    """,
    """
    CREATE TRIGGER orchestration_messages_go_with_their_thread
    BEFORE DELETE ON orchestration_messages
    WHEN EXISTS (SELECT 1 FROM orchestration_threads WHERE thread_id = OLD.thread_id)
    BEGIN SELECT RAISE(ABORT, 'messages go only with their thread: delete its row first'); END
    """,
)
_POSTGRES = (
    """
    CREATE FUNCTION orchestration_messages_stay() RETURNS trigger AS $$
    BEGIN RAISE EXCEPTION 'a recorded message cannot be changed'; END $$ LANGUAGE plpgsql
    """,
    """
    CREATE TRIGGER orchestration_messages_stay BEFORE UPDATE ON orchestration_messages
    FOR EACH ROW EXECUTE FUNCTION orchestration_messages_stay()
    """,
    """
    CREATE FUNCTION orchestration_messages_go_with_their_thread() RETURNS trigger AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM orchestration_threads WHERE thread_id = OLD.thread_id) THEN
            RAISE EXCEPTION 'messages go only with their thread: delete its row first';
        END IF;
        RETURN OLD;
    END $$ LANGUAGE plpgsql
    """,
    """
    CREATE TRIGGER orchestration_messages_go_with_their_thread
    BEFORE DELETE ON orchestration_messages
    FOR EACH ROW EXECUTE FUNCTION orchestration_messages_go_with_their_thread()
    """,
)
_TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRES}


def upgrade() -> None:
    """Create the table, and triggers that keep its rows."""
    bind = op.get_bind()
    MESSAGES.metadata.create_all(bind)
    for statement in _TRIGGERS[bind.dialect.name]:
        op.execute(statement)

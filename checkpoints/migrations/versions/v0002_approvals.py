"""The approval ledger, and a trail that cannot be changed."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, Table, Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# as they were then: `approval_tables` says what they are now
METADATA = MetaData()

REQUESTS = Table(
    "orchestration_approvals",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("interrupt_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("tenant", Text),
    Column("requester", Text),
    Column("roles", Text, nullable=False),  # who may decide, as JSON, for filters
    Column("policy", Text, nullable=False),
    Column("payload", Text, nullable=False),  # sealed
    Column("seen_hash", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deadline_at", Double),
    Column("remind_at", Double),
    Column("escalate_at", Double),
    Column("escalated", Boolean, nullable=False),
    Column("answer", Text),  # sealed
    Column("decided_by", Text),
    Column("decided_at", Double),
)
Index("orchestration_approvals_by_thread", REQUESTS.c.thread_id, REQUESTS.c.status)
Index("orchestration_approvals_by_age", REQUESTS.c.status, REQUESTS.c.created_at)

VOTES = Table(
    "orchestration_approval_votes",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("voter", Text, primary_key=True),
    Column("decision", Text, nullable=False),  # sealed
    Column("voted_at", Double, nullable=False),
)

AUDIT = Table(
    "orchestration_approval_audit",
    METADATA,
    Column("entry", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("task_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("event", Text, nullable=False),
    Column("actor", Text),
    Column("roles", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("detail", Text, nullable=False),  # sealed
    Column("seen_hash", Text, nullable=False),
)
Index("orchestration_approval_audit_by_request", AUDIT.c.request_id)
Index("orchestration_approval_audit_by_thread", AUDIT.c.thread_id)

_SQLITE = """
CREATE TRIGGER orchestration_approval_audit_no_{word}
BEFORE {verb} ON orchestration_approval_audit
BEGIN SELECT RAISE(ABORT, 'the approval audit is append-only'); END
"""
_SQLITE_REPLACE = """
CREATE TRIGGER orchestration_approval_audit_no_replace
BEFORE INSERT ON orchestration_approval_audit
WHEN EXISTS (SELECT 1 FROM orchestration_approval_audit WHERE entry = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'the approval audit is append-only'); END
"""  # `INSERT OR REPLACE` deletes, and no trigger for deletions notices
_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION orchestration_append_only() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION 'the approval audit is append-only'; END
$$ LANGUAGE plpgsql
"""
_POSTGRES = """
CREATE TRIGGER orchestration_approval_audit_no_{word}
BEFORE {verb} ON orchestration_approval_audit
FOR EACH STATEMENT EXECUTE FUNCTION orchestration_append_only()
"""
_STATEMENTS = {
    "sqlite": [
        *(_SQLITE.format(word=verb.lower(), verb=verb) for verb in ("UPDATE", "DELETE")),
        _SQLITE_REPLACE,
    ],
    "postgresql": [
        _POSTGRES_FUNCTION,
        *(
            _POSTGRES.format(word=verb.lower(), verb=verb)
            for verb in ("UPDATE", "DELETE", "TRUNCATE")
        ),
    ],
}


def upgrade() -> None:
    """Create the tables, and triggers that refuse changes of the trail."""
    bind = op.get_bind()
    METADATA.create_all(bind)
    for statement in _STATEMENTS[bind.dialect.name]:
        op.execute(statement)

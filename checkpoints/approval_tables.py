"""The tables of the approval ledger, for any database that SQLAlchemy speaks.

A change here needs a migration, which says for itself what it makes.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

METADATA: Final = MetaData()

REQUESTS: Final = Table(
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

VOTES: Final = Table(
    "orchestration_approval_votes",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("voter", Text, primary_key=True),
    Column("decision", Text, nullable=False),  # sealed
    Column("voted_at", Double, nullable=False),
)

AUDIT: Final = Table(
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

SIGNALS: Final = Table(
    "orchestration_signals",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("signal_id", Text, nullable=False),
    Column("thread_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("payload", Text, nullable=False),  # sealed
    Column("sent_by", Text),
    Column("sent_at", Double, nullable=False),
    Column("taken_for", Text),
    UniqueConstraint("thread_id", "signal_id"),
)

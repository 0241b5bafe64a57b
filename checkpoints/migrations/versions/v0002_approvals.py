"""The approval ledger, and a trail that cannot be changed."""

from __future__ import annotations

from alembic import op

from checkpoints.approval_tables import METADATA

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

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

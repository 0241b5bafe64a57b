"""The compare-and-set that decides a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, update

from checkpoints.approval_tables import REQUESTS
from checkpoints.approvals import DECIDED, PENDING, ApprovalRequest, Event, as_json
from checkpoints.ledger_rows import Ledger, Said, note

if TYPE_CHECKING:
    from state.decision import Decider

_CLAIM = (
    update(REQUESTS)
    .where(REQUESTS.c.request_id == bindparam("wanted"), REQUESTS.c.status == PENDING)
    .values(
        status=DECIDED,
        answer=bindparam("said"),
        decided_by=bindparam("by"),
        decided_at=bindparam("at"),
    )
)


def claim(
    ledger: Ledger,
    request: ApprovalRequest,
    decider: Decider,
    said: Said,
    *,
    event: Event = "decided",
) -> ApprovalRequest:
    """Decide a question that is pending in this transaction."""
    ledger.execute(
        _CLAIM,
        {
            "wanted": request.request_id,
            "said": ledger.cipher.seal(as_json(said.decision)),
            "by": decider.by,
            "at": ledger.now,
        },
    )
    note(ledger, request, event, who=decider, said=said)
    return request._replace(
        status=DECIDED, decision=said.decision, decided_by=decider.by, decided_at=ledger.now
    )

"""The questions in a result, and where they stand in the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from checkpoints.approvals import DECIDED, PENDING, Filter

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest
    from orchestration.cli.words import Json
    from orchestration.simple_coordinator import SimpleCoordinator
    from state.jsonvalue import JsonObject, JsonValue

MOST_QUESTIONS: Final = 1000


async def with_requests(coordinator: SimpleCoordinator, result: Json) -> JsonObject:
    """Return a `WorkflowResult.as_json()` whose interrupts name their requests.

    Each gets its `request_id`, its `kind` (people answer an `approval` or a `question`; a
    `timer` or a `signal` is waited for), the roles that `may_decide` (none means anybody), and
    whether it is `decided`, so that an answer waits for the run to go on.
    """
    if not result["interrupts"]:
        return dict(result)
    wanted = Filter((PENDING, DECIDED), thread_id=result["thread_id"], limit=MOST_QUESTIONS)
    found = await (await coordinator.ledger()).find(wanted)
    known = {request.interrupt_id: request for request in found}
    interrupts: list[JsonValue] = [
        {**each, **_standing(known.get(each["id"]))} for each in result["interrupts"]
    ]
    return {**result, "interrupts": interrupts}


def _standing(request: ApprovalRequest | None) -> JsonObject:
    if request is None:
        return {}
    return {
        "request_id": request.request_id,
        "kind": request.kind,
        "may_decide": [*request.may_decide()],
        "decided": request.status == DECIDED,
    }

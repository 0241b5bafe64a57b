"""What a run asks, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from checkpoints.approvals import PENDING, STATUSES, Answer, Asked, Filter, NewRequest
from checkpoints.threads import RUNNING
from nodes.approval import APPROVAL, BUDGET, asked_about
from nodes.budget_gate import ACTION, asked_budget
from orchestration.engines.snapshots import task_of
from state.approval import DEFAULT_POLICY, policy_of
from state.errors import DecisionError
from state.jsonvalue import json_like
from state.plan_document import INSIDE
from state.question import is_own
from state.waiting import asked_by

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalLedger, ApprovalRequest, Kind
    from checkpoints.threads import ThreadRecord
    from orchestration.engines.local_parts import Chunk
    from state.approval import PolicyDocument
    from state.plan import Plan
    from state.plan_document import PlanDocument
    from state.result import PendingInterrupt

QUESTION_POLICY: Final[PolicyDocument] = {**DEFAULT_POLICY, "separation_of_duties": False}
"""Of what an agent that is a graph asks: anybody may answer, and with anything."""
MOST_QUESTIONS: Final = 10_000


def asked_in(chunk: Chunk) -> Iterator[Asked]:
    """The questions that a chunk of LangGraph's `tasks` stream brings.

    What streams from inside of an agent is not marked as its own yet, so what looks like a
    question of the plan counts only where it comes from the very node that asks it.
    """
    for interrupt in chunk[1].get("interrupts", ()):
        question = asked(interrupt["id"], interrupt["value"])
        last = question.task_id.rpartition(INSIDE)[2]
        if not is_own(question.value) or chunk[1]["name"] in {
            last,
            last + APPROVAL,
            last + BUDGET,
        }:
            yield question


def asked(interrupt_id: str, value: Any) -> Asked:  # noqa: ANN401  whatever an agent asks
    """A question, with the task it is about where it says so."""
    shown = json_like(value)
    return Asked(interrupt_id, task_of(shown), shown)


def all_asked(pending: Iterable[PendingInterrupt]) -> list[Asked]:
    """Pending interrupts as questions."""
    return [Asked(each.interrupt_id, each.task_id, each.value) for each in pending]


def new_request(thread_id: str, plan: Plan, question: Asked) -> NewRequest:
    """What the ledger needs to judge answers to a question."""
    document = plan.document
    kind, action, policy, deadline_at = _judged_by(plan, question)
    return NewRequest(
        thread_id=thread_id,
        run_id=plan.run_id,
        asked=question,
        kind=kind,
        action=action,
        policy=policy,
        requester=document["user"],
        tenant=document["tenant"],
        deadline_at=deadline_at,
    )


class _Rules(NamedTuple):
    """By what answers to a question are judged."""

    kind: Kind
    action: str
    policy: PolicyDocument
    deadline_at: float | None = None


def _judged_by(plan: Plan, question: Asked) -> _Rules:
    task, value = plan.task_at(question.task_id), question.value
    waited_for = None if task is None else asked_by(task, value)
    if waited_for is not None:
        return _Rules(waited_for.kind, waited_for.signal, QUESTION_POLICY, waited_for.deadline_at)
    budget = asked_budget(plan.document, value)
    if budget is not None:
        return _Rules("approval", ACTION, budget["approval"])
    # who asks in the name of a task, an agent too, gets no laxer policy than the task has
    policy = None if task is None else policy_of(task["approval"])
    is_approval = isinstance(value, dict) and "action_requests" in value
    if task is None or policy is None or not is_approval:
        return _Rules("question", "", QUESTION_POLICY)
    return _Rules("approval", asked_about(task), policy)


def asks(plan: Plan) -> bool:
    """Whether anybody may have to approve something, or the run may wait for something."""
    return plan.traits.asks


def has_deadlines(plan: Plan) -> bool:
    """Whether the clock may decide something."""
    return plan.traits.waits or (plan.traits.asks and _has_deadlines(plan.document))


def _has_deadlines(document: PlanDocument) -> bool:
    return any(each["approval"]["deadline_seconds"] for each in document.get("budgets", ())) or any(
        (policy is not None and policy["deadline_seconds"])
        or ("body" in task and _has_deadlines(task["body"]))
        for task in document["tasks"].values()
        for policy in (policy_of(task["approval"]),)
    )


async def matched(
    ledger: ApprovalLedger, thread_id: str, plan: Plan, decisions: Mapping[str, object]
) -> tuple[list[Answer], list[str]]:
    """Match answers, given by task id, interrupt id or request id, to the run's questions.

    Returns:
        The answers, and the names under which nothing was ever asked.

    Raises:
        DecisionError: One question is answered twice.
    """
    known = await ledger.find(Filter(STATUSES, thread_id=thread_id, limit=MOST_QUESTIONS))
    by_name = _by_name([each for each in known if each.run_id == plan.run_id])
    answers: dict[str, Answer] = {}
    unknown = []
    for name, answer in decisions.items():
        request = by_name.get(name)
        if request is None:
            unknown.append(name)
        elif request.request_id in answers:
            raise DecisionError(
                thread_id,
                f"{request.task_id!r} is answered twice, by its task id and by its interrupt id; "
                "give one answer",
            )
        else:
            answers[request.request_id] = Answer(request.request_id, answer)
    return list(answers.values()), unknown


def _by_name(known: Sequence[ApprovalRequest]) -> dict[str, ApprovalRequest]:
    """Requests by each of their names; of several with one name, the open or the last."""
    by_name: dict[str, ApprovalRequest] = {}
    for request in sorted(known, key=lambda each: each.status == PENDING):
        by_name |= dict.fromkeys(
            filter(None, (_task_name(request), request.interrupt_id, request.request_id)), request
        )
    return by_name


def was_left(record: ThreadRecord, known: Collection[str], now: float) -> bool:
    """Whether whoever ran the thread last may not have entered what it asks."""
    if record.lease is None:
        return record.status == RUNNING or record.thread_id not in known
    return record.lease.expires_at < now


def _task_name(request: ApprovalRequest) -> str:
    """The task an answer may name; what an agent asks may say the name of any task."""
    return "" if request.kind == "question" else request.task_id

"""The approval ledger: who is asked what, who answered, and a trail of it all.

What a run waits for without asking anybody, a time or a signal, stands there too.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from checkpoints.signals import Signal
    from state.approval import PolicyDocument
    from state.decision import Decider, Decision
    from state.jsonvalue import JsonObject, JsonValue

PENDING: Final = "pending"
DECIDED: Final = "decided"
"""Answered, and the run has not taken the answer up yet."""
APPLIED: Final = "applied"
LAPSED: Final = "lapsed"
"""The run ended, or went on, without an answer."""
STATUSES: Final = (PENDING, DECIDED, APPLIED, LAPSED)
DEADLINE: Final = "deadline"
"""Stands as who decided where nobody did in time."""
CLOCK: Final = "clock"
"""Stands as who decided that the time has come for which a run waited."""

Kind = Literal["approval", "question", "timer", "signal"]
PEOPLE: Final[tuple[Kind, ...]] = ("approval", "question")
"""What people answer."""
WAITS: Final[tuple[Kind, ...]] = ("timer", "signal")
"""What the clock or a signal answers, and nobody else."""

Event = Literal[
    "requested",
    "voted",
    "decided",
    "expired",
    "reminded",
    "escalated",
    "applied",
    "lapsed",
    "fired",
    "signalled",
]


class Asked(NamedTuple):
    """A question as a run asks it."""

    interrupt_id: str
    task_id: str
    value: JsonValue


def as_json(value: object) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def seen_hash(value: JsonValue) -> str:
    """Fingerprint of what was asked."""
    return hashlib.sha256(as_json(value).encode()).hexdigest()


UNANSWERED: Final = object()


class OpenQuestions(NamedTuple):
    """What a thread asks, as far as the ledger knows, and what is decided about it."""

    by_question: Mapping[tuple[str, str], object]
    """By interrupt id and fingerprint: what to resume with, or `UNANSWERED`."""

    def has_answer(self) -> bool:
        """Whether anything is decided that the run has not taken up."""
        return any(each is not UNANSWERED for each in self.by_question.values())

    def has_all(self, asked: Sequence[Asked]) -> bool:
        """Whether the ledger knows all of these."""
        return all((each.interrupt_id, seen_hash(each.value)) in self.by_question for each in asked)

    def answers(self, asked: Sequence[Asked]) -> dict[str, object]:
        """What a run that asks these is to be resumed with, by interrupt id."""
        found = {
            each.interrupt_id: self.by_question.get(
                (each.interrupt_id, seen_hash(each.value)), UNANSWERED
            )
            for each in asked
        }
        return {id_: answer for id_, answer in found.items() if answer is not UNANSWERED}


class NewRequest(NamedTuple):
    """A question, and what is needed to judge its answers."""

    thread_id: str
    run_id: str
    asked: Asked
    kind: Kind
    action: str
    policy: PolicyDocument
    requester: str | None
    tenant: str | None
    deadline_at: float | None = None
    """Of a wait; an approval's is counted from when it is asked, as its policy says."""


class ApprovalRequest(NamedTuple):
    """A question in the ledger."""

    request_id: str
    thread_id: str
    run_id: str
    task_id: str
    interrupt_id: str
    kind: str
    """`approval`, or `question` for what an agent that is a graph asks; `timer` or `signal` for
    what the run waits for."""
    action: str
    """Whom the task is for: an agent id or a capability. Of a `signal`, its name."""
    tenant: str | None
    requester: str | None
    policy: PolicyDocument
    payload: JsonValue
    """For an approval LangChain's `HITLRequest`, with `upstream` results."""
    seen_hash: str
    """SHA-256 of the payload, as it stands in the trail beside each answer."""
    status: str
    created_at: float
    deadline_at: float | None
    remind_at: float | None
    escalate_at: float | None
    escalated: bool
    decision: Decision | None
    decided_by: str | None
    decided_at: float | None
    votes: int = 0
    """Answers that count towards a quorum so far."""

    @property
    def arguments(self) -> JsonObject:
        """What the agent is to be called with, unless somebody edits it."""
        match self.payload:
            case {"action_requests": [{"args": dict(arguments)}]}:
                return arguments
        return {}

    def may_decide(self) -> list[str]:
        """The roles of which one is needed; none means anybody."""
        escalated = self.policy["escalate_to"] if self.escalated else []
        return [*self.policy["roles"], *escalated] if self.policy["roles"] else []


class AuditEntry(NamedTuple):
    """One thing that happened to a question; never changed afterwards."""

    entry: int
    request_id: str
    thread_id: str
    task_id: str
    at: float
    event: str
    actor: str | None
    roles: list[str]
    decision: str
    """The type of the answer, or empty."""
    detail: JsonObject
    """The whole answer and the comment, where there is one."""
    seen_hash: str


class Answer(NamedTuple):
    """What somebody decides about one question."""

    request_id: str
    answer: object
    comment: str = ""


class Filter(NamedTuple):
    """Which requests are wanted."""

    statuses: Collection[str] = (PENDING,)
    thread_id: str | None = None
    tenant: str | None = None
    role: str | None = None
    """Only what somebody with this role may decide."""
    limit: int = 50
    after: str | None = None
    """A request id: continue behind it."""
    kinds: Collection[str] = (*PEOPLE, *WAITS)


class Due(NamedTuple):
    """Something that happened to a request, and that people are to be told."""

    event: Event
    request: ApprovalRequest


class Taken(NamedTuple):
    """What a run's questions came to."""

    answers: Mapping[str, object]
    """What to resume with, by interrupt id, of what is decided already."""
    new: Sequence[Due]
    """Questions that are in the ledger since then."""


class ApprovalLedger(Protocol):
    """Keeps questions and answers; each method is one transaction."""

    async def record(self, requests: Sequence[NewRequest], *, token: int | None) -> list[Due]:
        """Note what a run asks; what is known already stays as it is.

        Returns:
            What is new.

        Raises:
            LeaseLostError: The run's lease token is not the thread's latest.
        """
        ...

    async def decide(self, answers: Sequence[Answer], decider: Decider) -> list[ApprovalRequest]:
        """Claim questions with answers, all or none.

        Raises:
            RequestNotFoundError, AlreadyDecidedError, NotAllowedError, DecisionError: Nothing
                was recorded.
        """
        ...

    async def answers(self, thread_id: str, asked: Sequence[Asked]) -> Mapping[str, object]:
        """What a run is to be resumed with, by interrupt id, of what it asks."""
        ...

    async def take(
        self, thread_id: str, asked: Sequence[NewRequest], *, token: int | None
    ) -> Taken:
        """Do what `record` and `answers` do, at once.

        Raises:
            LeaseLostError: The run's lease token is not the thread's latest.
        """
        ...

    async def applied(self, thread_id: str, interrupt_ids: Collection[str]) -> None:
        """Note that a run took answers up."""
        ...

    async def work_off(self, *, thread_id: str | None = None) -> list[Due]:
        """Apply passed deadlines; claim due reminders and escalations."""
        ...

    async def seconds_until_due(self) -> float | None:
        """Return when `work_off` has something to do next; None if it is waiting for nothing."""
        ...

    async def signals(self, thread_id: str) -> list[Signal]:
        """Return the signals that a thread has got, the oldest first."""
        ...

    async def asking(self) -> Collection[str]:
        """Return the threads with a question whose answer the run has not taken up."""
        ...

    async def find(self, wanted: Filter) -> list[ApprovalRequest]:
        """Return requests, the oldest first."""
        ...

    async def get(self, request_id: str) -> ApprovalRequest:
        """Return one request.

        Raises:
            RequestNotFoundError: There is none.
        """
        ...

    async def history(
        self, *, request_id: str | None = None, thread_id: str | None = None
    ) -> list[AuditEntry]:
        """Return the trail of a request, or of a thread, the oldest entry first."""
        ...

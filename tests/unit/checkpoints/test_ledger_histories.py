"""Whatever happens to a question, in whatever order: its row and its trail tell one story."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from checkpoints import ledger_sql
from checkpoints.approval_ledgers import MemoryApprovals
from checkpoints.approvals import (
    APPLIED,
    DECIDED,
    LAPSED,
    PENDING,
    STATUSES,
    Answer,
    ApprovalRequest,
    Asked,
    AuditEntry,
    Filter,
    NewRequest,
)
from state.approval import ApprovalPolicy
from state.decision import Decider
from state.errors import DecisionError, RequestNotFoundError

POLICY = ApprovalPolicy(
    quorum=2,
    deadline=timedelta(seconds=9),
    reminder=timedelta(seconds=3),
    escalation=timedelta(seconds=6),
    roles=["manager"],
    escalate_to=["cfo"],
)
IDS, PAYLOADS = st.sampled_from(["q", "r"]), st.sampled_from(["one", "two"])
steps = st.one_of(
    st.tuples(st.just("ask"), IDS, PAYLOADS),
    st.tuples(
        st.just("decide"),
        st.sampled_from(["q", "r", "q-2", "r-2"]),
        st.sampled_from(["approve", "reject", "respond", "nonsense"]),
        st.sampled_from(["Ann", "Bob", "Cleo", "Rita", " "]),
        st.sampled_from(["manager", "cfo", "clerk"]),
    ),
    st.tuples(st.just("wait"), st.integers(1, 5)),
    st.tuples(st.just("sweep")),
    st.tuples(st.just("apply"), IDS),
    st.tuples(st.just("settle"), st.lists(st.tuples(IDS, PAYLOADS), max_size=2)),
)
ENDS = {"decided": DECIDED, "expired": DECIDED, "applied": APPLIED, "lapsed": LAPSED}
FOLLOWS = {
    None: {"requested"},
    "requested": {"voted", "reminded", "escalated", "decided", "expired", "lapsed"},
    "decided": {"applied"},
    "expired": {"applied"},
    "applied": set[str](),
    "lapsed": set[str](),
}


def new_request(name: str, value: str) -> NewRequest:
    return NewRequest(
        thread_id="t",
        run_id="run",
        asked=Asked(name, "", value),
        kind="approval",
        action="finance",
        policy=POLICY.document(),
        requester="Rita",
        tenant=None,
    )


class Story:
    """A ledger in memory, and what is done to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ledger = MemoryApprovals(clock=lambda: self.now)

    async def do(self, step: tuple[object, ...]) -> None:
        match step:
            case ("ask", str(name), str(value)):
                await self.ask(name, value)
            case ("decide", str(name), answer, str(by), str(role)):
                await self.decide(Answer(name, answer), Decider(by, [role]))
            case ("wait", int(seconds)):
                self.now += seconds
            case ("sweep",):
                await self.ledger.work_off()
            case ("apply", str(name)):
                await self.ledger.applied("t", [name])
            case ("settle", list(asked)):
                still = [new_request(name, value) for name, value in asked]
                await self.ledger._run(
                    lambda connection: ledger_sql.settle(self.ledger.on(connection), "t", still)
                )

    async def ask(self, name: str, value: str) -> None:
        request = new_request(name, value)
        await self.ledger.record([request], token=1)

    async def decide(self, answer: Answer, who: Decider) -> None:
        before = await self.ledger.find(Filter(STATUSES))
        with suppress(DecisionError, RequestNotFoundError):
            await self.ledger.decide([answer], who)
            assert who.by in {"Ann", "Bob", "Cleo"}
            return
        assert await self.ledger.find(Filter(STATUSES)) == before


@given(st.lists(steps, max_size=25))
def test_a_row_and_its_trail_tell_one_story(told: list[tuple[object, ...]]) -> None:
    async def play() -> None:
        story = Story()
        for step in told:
            await story.do(step)
        for request in await story.ledger.find(Filter(STATUSES)):
            check(request, await story.ledger.history(request_id=request.request_id))
        story.ledger.close()

    asyncio.run(play())


def check(request: ApprovalRequest, trail: list[AuditEntry]) -> None:
    stage, status = None, PENDING
    for entry in trail:
        assert entry.event in FOLLOWS[stage]
        assert entry.seen_hash == request.seen_hash
        if entry.event == "requested" or entry.event in ENDS:
            stage = entry.event
        status = ENDS.get(entry.event, status)
    assert request.status == status
    counts = Counter(entry.event for entry in trail)
    assert counts["voted"] == request.votes
    assert max(counts["reminded"], counts["escalated"]) <= 1
    assert request.escalated == bool(counts["escalated"])
    if (counts["decided"], counts["expired"]) == (0, 0):
        assert (request.decision, request.decided_by, request.decided_at) == (None, None, None)
        return
    (end,) = [entry for entry in trail if entry.event in {"decided", "expired"}]
    assert request.decision == end.detail["decision"]
    assert (request.decided_by, request.decided_at) == (end.actor, end.at)
    assert request.deadline_at is not None
    assert (end.event == "decided") == (end.at < request.deadline_at)

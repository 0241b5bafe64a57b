"""A segment: one stretch of a run, from its lease to its next pause or its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langgraph.errors import GraphDrained

from checkpoints.history import Answers
from checkpoints.sqlite_saver import LEASE_TOKEN
from checkpoints.threads import RUNNING
from nodes.brake import Brake
from nodes.plan_loader import fresh_state
from orchestration.engines.accounting import Account
from orchestration.engines.leases import HeldLease
from orchestration.engines.snapshots import belongs_to, known_outcomes, scopes_in
from state.errors import DrainedError, LeaseLostError

if TYPE_CHECKING:
    from types import TracebackType

    from langchain_core.runnables import RunnableConfig
    from langgraph.types import StateSnapshot

    from checkpoints.traffic import CallRecord
    from orchestration.streaming.recorder import Recorder
    from state.jsonvalue import JsonObject
    from state.plan import Plan
    from state.plan_document import PlanDocument
    from state.run_state import Outcomes

LEAST_LIMIT: Final = 10_000
"""Supersteps that LangGraph allows a run, at least; a graph that is an agent inherits the limit."""


@dataclass(slots=True, kw_only=True, eq=False)
class Segment:
    """A thread that this process holds, ready to run."""

    thread_id: str
    plan: Plan
    config: RunnableConfig
    held: HeldLease
    brake: Brake
    status: str = RUNNING
    """How the thread stands when the segment ends."""
    said: Answers | None = None
    """What the agents said, once the run is over."""
    may_ask: bool = False
    """Whether the ledger may hold questions of it."""
    settled: bool = False
    """Whether it has come to an end, and whatever it asked is closed with it."""
    released: bool = False
    scopes: Sequence[tuple[PlanDocument, Outcomes]] = ()
    """The plans inside tasks that were under way when it began, the outer ones first."""
    begins: bool = False
    """Whether the run begins with it."""
    streamed: bool = False
    """Whether the run has a log of events, so that it is written on."""
    recorder: Recorder | None = None
    """Writes it."""
    account: Account | None = None
    """What its calls came to; None as long as nothing is known of the run."""

    def keep_account(self, known: Outcomes) -> Account:
        """Begin to keep account; what the run did under an earlier plan stays in it.

        Args:
            known: What became of its tasks; what the run announces is added there.
        """
        self.account = Account(
            self.thread_id, self.plan, known, scopes=self.scopes, before=self.account
        )
        return self.account

    def take_up(self, snapshot: StateSnapshot) -> Outcomes:
        """Return what is known of the thread, and keep account of that if it is of this run."""
        known = known_outcomes(snapshot)
        if belongs_to(snapshot, self.plan):
            self.scopes = [*scopes_in(snapshot)]
            self.keep_account(known)
        return known

    def go_on_as(self, plan: Plan) -> None:
        """Go on under another plan, which has what was done as its seed."""
        self.plan, self.scopes = plan, ()
        self.config = thread_config(self.thread_id, self.held.lease.token, plan)

    def learn(self, values: Mapping[str, Any]) -> None:
        """Let what a graph hands out count too."""
        if self.account is not None:
            self.account.learn(values.get("outcomes", {}))

    def calls(self) -> Sequence[CallRecord]:
        """What is to be recorded of its calls now."""
        return () if self.account is None else self.account.records()


class Hold:
    """Says what ends a segment early, and ends its lease; a plain class, as every run has one."""

    __slots__ = ("_end", "_segment")

    def __init__(self, segment: Segment, end: Callable[[Segment], Awaitable[None]]) -> None:
        self._segment = segment
        self._end = end

    async def __aenter__(self) -> Segment:
        return self._segment

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        held = self._segment.held
        if kind is None:
            await self._end(self._segment)
            return
        if isinstance(error, LeaseLostError):
            held.lost = True
        lost_before = held.lost
        await self._end(self._segment)
        if isinstance(error, GraphDrained):
            raise DrainedError(held.lease.thread_id) from None
        current = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and lost_before and current is not None:
            current.uncancel()
            raise LeaseLostError(held.lease.thread_id) from None


def thread_config(
    thread_id: str,
    token: int | None = None,
    plan: Plan | None = None,
    *,
    checkpoint_id: str | None = None,
) -> RunnableConfig:
    """What LangGraph is to know of a thread: its id, who may write to it, how long a run may be."""
    configurable: dict[str, Any] = {"thread_id": thread_id}
    if checkpoint_id is not None:
        configurable["checkpoint_id"] = checkpoint_id
    if token is not None:
        configurable[LEASE_TOKEN] = token
    if plan is None:
        return {"configurable": configurable}
    limit = max(LEAST_LIMIT, 25 + 4 * plan.traits.attempts)
    return {"configurable": configurable, "recursion_limit": limit}


def first_input(plan: Plan, history: list[JsonObject], *, clear: bool = True) -> dict[str, Any]:
    """The input of a run; a plain sequence has fewer keys, and a new thread nothing to clear.

    The history travels in the plan: a key of its own would cost time in every superstep.
    """
    document = plan.document
    if history:
        document = {**document, "history": history}
    if not clear:
        return {"plan": document}
    fresh = fresh_state(document)
    return {key: fresh[key] for key in ("plan", "outcomes")} if plan.is_plain() else fresh

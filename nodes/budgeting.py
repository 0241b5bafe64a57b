"""The budget layer: counts what calls use up, and lets none begin when a budget is used up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from langgraph.errors import GraphBubbleUp

from checkpoints.spending import EVER, Charged, Scope
from nodes.middleware import was_called, was_served
from state.budget import Overrun, Spent, overruns
from state.errors import BudgetExceededError
from state.outcome import usage_in

if TYPE_CHECKING:
    from checkpoints.spending import SpendingStore
    from nodes.middleware import AgentCall, Proceed, Reply
    from nodes.ports import Clock
    from state.budget import Balance, BudgetDocument, BudgetScope, WhenExceeded
    from state.jsonvalue import JsonObject
    from state.plan_document import PlanDocument

NAME: Final = "budget"
MOST_TOKENS: Final = 10**15
"""What counts of a call's tokens, whatever an agent claims: no database takes every number."""

_log = logging.getLogger(__name__)


class WorkingTime:
    """How long at least one call of a run has been under way; each part of it counts once."""

    __slots__ = ("_clock", "_since", "_under_way")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way = 0
        self._since = 0.0

    def begin(self) -> None:
        """A call begins."""
        if not self._under_way:
            self._since = self._clock.now()
        self._under_way += 1

    def end(self) -> float:
        """A call ends; return the seconds that nobody was charged for yet."""
        seconds = self.uncharged
        self._under_way -= 1
        self._since = self._clock.now()
        return seconds

    @property
    def uncharged(self) -> float:
        """Seconds that no call was charged for yet."""
        return max(0.0, self._clock.now() - self._since) if self._under_way else 0.0


class Budgets:
    """The budgets that count for one run."""

    def __init__(
        self,
        plan: PlanDocument,
        *,
        thread_id: str,
        store: SpendingStore,
        clock: Clock,
    ) -> None:
        """Take what is to be used.

        Args:
            plan: Of the run as a whole.
            thread_id: Whose run.
            store: Where it is counted.
            clock: What time it is.
        """
        self.documents: Sequence[BudgetDocument] = plan["budgets"]
        self._run_id = plan["run_id"]
        self._thread_id = thread_id
        self._tenant = plan["tenant"]
        self._store = store
        self._clock = clock
        self.working = WorkingTime(clock)

    async def used_up(self) -> list[Overrun]:
        """The budgets that a run is to be asked about now."""
        return overruns(self.documents, await self._balances(), "pause")

    async def asked_about(self, key: str) -> Overrun | None:
        """The budget that a question is about; None if there is nothing to ask.

        Once it was asked it stays about the same budget, whatever else is used up until somebody
        answers; nothing of that may be used up any more.
        """
        balances = await self._balances()
        over = overruns(self.documents, balances, "pause")
        wanted = self.documents.index(over[0].budget) if over else None
        about = await self._store.asked(self._in_run(f"{key}?"), wanted)
        return None if about is None else Overrun(self.documents[about], balances[about])

    async def begin(self, charged: Charged, *, asks: bool) -> list[Overrun]:
        """Count a call that begins; return budgets that are used up all the same.

        Args:
            charged: The call.
            asks: Whether the task has a gate, where people are asked.

        Raises:
            BudgetExceededError: It must not begin.
            AskFirstError: It must not begin before somebody was asked.
        """
        binding: tuple[WhenExceeded, ...] = ("stop", "pause") if asks else ("stop",)

        def admit(balances: Sequence[Balance]) -> bool:
            return not overruns(self.documents, self._with_time(balances), *binding)

        begun = await self._store.begin(charged, self._scopes(), admit)
        balances = self._with_time(begun.balances)
        if not begun.admitted:
            if stopped := overruns(self.documents, balances, "stop"):
                told = [each.as_json() for each in stopped]
                raise BudgetExceededError([str(each) for each in stopped], told)
            raise AskFirstError
        return overruns(self.documents, balances, "audit", "pause")

    async def end(self, charged: Charged, used: Spent) -> None:
        """Count what a call used up."""
        await self._store.end(charged._replace(at=self._clock.now()), used)

    async def grant(self, key: str, amount: Spent, per: BudgetScope) -> None:
        """Let more be used up; the same key grants once in a run."""
        await self._store.grant(self._in_run(key), amount, per)

    def charged(self, key: str) -> Charged:
        """Whose budgets something counts for."""
        return Charged(key, self._run_id, self._thread_id, self._tenant, self._clock.now())

    def _in_run(self, key: str) -> Charged:
        """The same for a key that only tells apart what is of the run."""
        return self.charged(f"{self._run_id}:{key}")

    async def _balances(self) -> list[Balance]:
        return self._with_time(await self._store.balances(self._scopes()))

    def _scopes(self) -> list[Scope]:
        names = {"run": self._run_id, "thread": self._thread_id, "tenant": self._tenant or ""}
        return [
            Scope(each["per"], names[each["per"]], self._since(each)) for each in self.documents
        ]

    def _since(self, budget: BudgetDocument) -> float:
        window = budget["window_seconds"]
        return EVER if window is None else self._clock.now() - window

    def _with_time(self, balances: Sequence[Balance]) -> list[Balance]:
        """Let the time that calls under way have taken so far count too."""
        time = Spent(seconds=self.working.uncharged)
        return [each._replace(spent=each.spent.plus(time)) for each in balances]


class AskFirstError(Exception):
    """Raised instead of a call that somebody has to be asked about; the task's node goes there."""


class BudgetLayer:
    """Lets no call begin that a budget does not allow, and counts those that do."""

    name = NAME

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Count a call around it.

        Raises:
            BudgetExceededError, AskFirstError: It must not begin.
        """
        budgets, context = self._budgets, call.context
        charged = budgets.charged(f"{context.idempotency_key}@{context.attempt}")
        try:
            over = await budgets.begin(charged, asks="budgeted" in call.work)
        except BudgetExceededError as error:
            _tell(call, error.details)
            raise
        if over:
            _tell(call, [each.as_json() for each in over])
        budgets.working.begin()
        reply: Reply = None
        calls = 1
        try:
            reply = call.answer = await proceed(call)
        except GraphBubbleUp:  # the agent, a graph, asks something; the call goes on later
            calls = 0
            raise
        finally:
            used = _used(call, reply)._replace(seconds=budgets.working.end())
            await self._end(call, charged, used._replace(attempts=min(used.attempts, calls)))
        return reply

    async def _end(self, call: AgentCall, charged: Charged, used: Spent) -> None:
        """Count what a call used up; what came of it is not lost where that cannot be."""
        try:
            await asyncio.shield(self._budgets.end(charged, used))
        except Exception as error:  # noqa: BLE001  whatever a database raises; the call was made
            why = f"{type(error).__name__}: {error}"
            _log.warning("what %s used up could not be counted: %s", charged.key, why)
            before = call.verdicts.get(NAME, {})
            call.tell(NAME, {"verdict": "uncounted", **before, "uncounted": why})


def _tell(call: AgentCall, exceeded: Sequence[JsonObject]) -> None:
    call.tell(NAME, {"verdict": "exceeded", "budgets": [*exceeded]})


def _used(call: AgentCall, reply: Reply) -> Spent:
    """What a call used up, as far as anybody says."""
    if was_served(call.verdicts):
        return Spent(attempts=int(was_called(call.verdicts)))
    told = call.agent.told or {}
    usage = usage_in(reply) if isinstance(reply, dict) else None
    usage = usage or told.get("usage")
    tokens = 0 if usage is None else usage["input_tokens"] + usage["output_tokens"]
    tokens = min(tokens, MOST_TOKENS)
    cost = told.get("cost", 0.0) - call.terms.cost  # that of earlier attempts was counted
    return Spent(tokens=tokens, cost=max(0.0, cost), attempts=1)

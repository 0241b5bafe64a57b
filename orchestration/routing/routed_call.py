"""One task's call of an agent with endpoints, over as many of them as it takes and may take."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from nodes.ports import Dispatch, Told
from orchestration.agents.kinds import KINDS
from orchestration.agents.price import cost_of
from orchestration.routing.failover import may_go_elsewhere, may_have_started
from orchestration.routing.picking import endpoint_for
from orchestration.routing.sent_before import made_nowhere_else
from state.errors import AgentUnavailableError, LeaseLostError
from state.outcome import Routing, Try, usage_in

if TYPE_CHECKING:
    from nodes.ports import CallSettings, Terms
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.agent_group import VersionState
    from orchestration.routing.endpoint_state import EndpointState
    from orchestration.routing.pool import Pick
    from orchestration.routing.router import Router
    from state.agent_context import AgentContext
    from state.errors import AgentError
    from state.jsonvalue import JsonObject

CANCELLED: Final = "cancelled"
"""Stands as the error of a call that nobody waited for any more."""


class _Settled(NamedTuple):
    """Which version is called, and why."""

    version: VersionState
    why: str
    only: str | None
    """The endpoint where the call was sent before."""


class RoutedCall:
    """The nodes' `Agent` for one attempt at a task."""

    def __init__(self, router: Router, spec: AgentSpec, terms: Terms, thread_id: str) -> None:
        self.agent_id = spec.agent_id
        self.version = spec.version
        self.may_retry = True
        self.told: Told = {"tries": list(terms.tries)}
        if terms.cost:
            self.told["cost"] = terms.cost
        self._router = router
        self._terms = terms
        self._thread_id = thread_id
        self._spec = spec
        self._settled: _Settled | None = None

    @property
    def read_only(self) -> bool:
        """Whether the version changes nothing anywhere."""
        return self._spec.read_only

    @property
    def settings(self) -> CallSettings:
        """What the version says of its calls."""
        return self._spec.call_settings

    async def settle(self, context: AgentContext) -> None:
        """Decide on the version for a call, if that is not decided yet.

        Raises:
            AgentError: No version can be called.
        """
        if self._settled is None:
            self._settled = settled = await self._settle(context)
            self._spec = settled.version.spec
            self.agent_id, self.version = self._spec.agent_id, self._spec.version

    async def call(self, input_data: JsonObject, context: AgentContext) -> JsonObject:
        """Do the task; at another endpoint if one fails and that is safe.

        Raises:
            AgentError: No endpoint did it.
        """
        settled = self._settled
        if settled is None:
            await self.settle(context)
            settled = self._settled
        assert settled is not None  # noqa: S101  as it is settled now
        version, why, only = settled
        self._router.shadow(version, input_data, context)
        return await self._call_until_done(version, only, why, input_data, context)

    async def _settle(self, context: AgentContext) -> _Settled:
        router = self._router
        sharing = router.sharing  # a coordinator in another thread may close it
        if sharing is not None:
            await sharing.ready()
        journal = self._terms.journal
        chosen = await router.version_for(self.agent_id, self._thread_id, journal)
        sent = await self._sent_before(chosen.version, context)
        if sent is None:
            return _Settled(chosen.version, chosen.why, None)
        return _Settled(self._there(sent), "where the call was sent before", sent.endpoint)

    async def call_version(
        self, version: VersionState, input_data: JsonObject, context: AgentContext
    ) -> JsonObject:
        """Call a version that is given, as `call` does."""
        return await self._call_until_done(version, None, "a copy", input_data, context)

    async def _sent_before(self, version: VersionState, context: AgentContext) -> Dispatch | None:
        """Where this very call may have begun, before this process died or an attempt failed.

        None where the version may be called whatever has begun.
        """
        journal, spec = self._terms.journal, version.spec
        sent = None if journal is None else await journal.sent(context.idempotency_key)
        if sent is None:  # of those that may repeat a call, only the attempts tell
            begun = [each["version"] for each in self._terms.tries if each.get("may_have_started")]
            sent = Dispatch(self.agent_id, begun[-1], "") if begun and spec.idempotent else None
        if sent is None or not spec.may_repeat:
            return sent
        is_same = sent[:2] == (spec.agent_id, spec.version)
        if is_same and sent.endpoint and _is_there(version, sent):
            return sent  # where it has asked something
        if is_same or spec.read_only:
            return None  # all its endpoints together recognise the key
        return sent

    def _there(self, sent: Dispatch) -> VersionState:
        """The version to which a call was sent before.

        Raises:
            AgentError: It is gone, or its endpoint is, or that would not recognise the call;
                nobody else may be asked.
        """
        group = self._router.groups.get(sent.agent_id)
        version = None if group is None else group.versions.get(sent.version)
        if version is None:
            raise self._nowhere_else(sent, "which is not there any more")
        if version.spec.may_repeat:
            return version  # at any endpoint, if need be
        endpoint = version.pool.endpoints.get(sent.endpoint)
        if endpoint is None:
            raise self._nowhere_else(sent, "which is not there any more")
        if sent.whereabouts not in {"", endpoint.whereabouts}:
            raise self._nowhere_else(sent, "which is somewhere else now")
        if not passes_key(endpoint):
            raise self._nowhere_else(sent, "which would not recognise a second call")
        return version

    def _nowhere_else(self, sent: Dispatch, because: str) -> AgentError:
        self.may_retry = False
        return made_nowhere_else(sent, because)

    async def _call_until_done(  # noqa: C901  each way in which it can go on is one line
        self,
        version: VersionState,
        only: str | None,
        why: str,
        input_data: JsonObject,
        context: AgentContext,
    ) -> JsonObject:
        tried: list[str] = []
        failure: Exception | None = None
        if version.spec.may_repeat and only is not None and only not in version.pool.endpoints:
            only = None
        bound = only is not None and not version.spec.may_repeat
        while True:
            try:
                pick = await self._next(version, tried, only)
            except AgentUnavailableError:
                if failure is not None:
                    raise failure from None
                raise
            self._tell_choice(version, pick, why)
            try:
                reply = await self._try(version, pick, input_data, context)
            except LeaseLostError:
                raise
            except Exception as error:
                failure = error
                if is_control_flow(error):
                    await self._note(version, pick, context, asks=True)
                elif not bound and not may_have_started(error):
                    await self._forget(version, context)
                self.may_retry = bound or self._may_retry(version, pick, error)
                tried.append(pick.endpoint.id)
                if bound or not self._may_go_on(version, error, tried, context):
                    raise
                only = None
            else:
                return reply

    async def _next(self, version: VersionState, tried: list[str], only: str | None) -> Pick:
        """The endpoint for the next call; a probe only if no other process makes one."""
        router = self._router
        while True:
            pick = await endpoint_for(router, version, tried, only)
            sharing = router.sharing
            if not pick.probe or sharing is None:
                return pick
            try:
                claimed = await sharing.claim_probe(pick.endpoint)
            except BaseException:
                router.ended(version, pick, seconds=0.0, abandoned=True)
                raise
            if claimed:
                return pick
            router.ended(version, pick._replace(probe=False), seconds=0.0, abandoned=True)

    async def _try(
        self, version: VersionState, pick: Pick, input_data: JsonObject, context: AgentContext
    ) -> JsonObject:
        """Make one call of one endpoint, and note what became of it."""
        router, endpoint = self._router, pick.endpoint
        begun, cost, abandoned = time.perf_counter(), None, True
        error: Exception | None = None
        sent = False
        try:
            await self._note(version, pick, context)
            self.may_retry = version.spec.may_repeat or passes_key(endpoint)
            begun, sent = time.perf_counter(), True
            reply = await router.connector(endpoint).call(input_data, context)
            cost, abandoned = self._cost(pick, reply), False
        except asyncio.CancelledError:
            abandoned = not sent or not self._is_late(context)
            error = TimeoutError()
            if sent:
                self._tell_try(pick, time.perf_counter() - begun, CANCELLED, may_have_started=True)
            raise
        except Exception as raised:
            abandoned = not sent or is_control_flow(raised)
            if not abandoned:
                error = raised
                self._tell_try(
                    pick,
                    time.perf_counter() - begun,
                    str(getattr(raised, "code", "agent_raised")),
                    may_have_started=may_have_started(raised),
                )
            raise
        finally:
            seconds = time.perf_counter() - begun
            router.ended(
                version, pick, seconds=seconds, error=error, abandoned=abandoned, cost=cost
            )
        self._tell_try(pick, seconds, cost=cost)
        return reply

    def _cost(self, pick: Pick, reply: object) -> float | None:
        usage = usage_in(reply) if isinstance(reply, dict) else None
        if usage is not None:
            self.told["usage"] = usage
        return cost_of(pick.endpoint.place.cost, usage)

    # -- what is remembered ------------------------------------------------------------------

    async def _note(
        self, version: VersionState, pick: Pick, context: AgentContext, *, asks: bool = False
    ) -> None:
        """Remember where a call goes, or where it asks something and is to be answered."""
        journal, spec = self._terms.journal, version.spec
        if journal is not None and spec.may_repeat == asks:
            endpoint = pick.endpoint
            sent = Dispatch(spec.agent_id, spec.version, endpoint.id, endpoint.whereabouts)
            await journal.note(context.idempotency_key, sent)

    async def _forget(self, version: VersionState, context: AgentContext) -> None:
        journal = self._terms.journal
        if journal is not None and not version.spec.may_repeat:
            await journal.note(context.idempotency_key, None)

    # -- what is told ------------------------------------------------------------------------

    def _tell_choice(self, version: VersionState, pick: Pick, why: str) -> None:
        words = "; ".join(filter(None, [why, pick.why, "as a probe" if pick.probe else ""]))
        self.told["endpoint"] = pick.endpoint.id
        self.told["routing"] = Routing(why=words, skipped=version.pool.skipped_now())

    def _tell_try(
        self,
        pick: Pick,
        seconds: float,
        error: str | None = None,
        *,
        may_have_started: bool = False,
        cost: float | None = None,
    ) -> None:
        told = Try(endpoint=pick.endpoint.id, version=self.version, seconds=seconds)
        if error is not None:
            told["error"], told["may_have_started"] = error, may_have_started
        if cost is not None:
            told["cost"] = cost
            self.told["cost"] = self.told.get("cost", 0.0) + cost
        self.told["tries"].append(told)

    # -- what may be done --------------------------------------------------------------------

    def _may_go_on(
        self, version: VersionState, error: Exception, tried: list[str], context: AgentContext
    ) -> bool:
        """Whether another endpoint is asked after a failure."""
        spec, pool = version.spec, version.pool
        if len(tried) > pool.resilience.failovers or len(tried) >= len(pool.endpoints):
            return False
        if is_control_flow(error) or not may_go_elsewhere(error, may_repeat=spec.may_repeat):
            return False
        if self._is_late(context):
            return False
        budget = self._terms.budget
        return budget is None or budget.take()

    def _is_late(self, context: AgentContext) -> bool:
        return context.deadline is not None and self._router.clock() >= context.deadline

    @staticmethod
    def _may_retry(version: VersionState, pick: Pick, error: Exception) -> bool:
        """Whether the same endpoint may be asked again later.

        It knows the key of a call that it may have done already; or it changes nothing.
        """
        if version.spec.may_repeat or not may_have_started(error):
            return True
        return passes_key(pick.endpoint)


def _is_there(version: VersionState, sent: Dispatch) -> bool:
    """Whether the endpoint to which a call was sent takes calls, and is where it was."""
    endpoint = version.pool.endpoints.get(sent.endpoint)
    if endpoint is None or sent.whereabouts not in {"", endpoint.whereabouts}:
        return False
    return endpoint.serving


def passes_key(endpoint: EndpointState) -> bool:
    """Whether the agent there is told a call's idempotency key."""
    return KINDS[endpoint.place.kind].passes_key


def is_control_flow(error: Exception) -> bool:
    """Whether an agent that is a graph asks something, rather than failed."""
    from langgraph.errors import GraphBubbleUp  # noqa: PLC0415  loaded where graphs run

    return isinstance(error, GraphBubbleUp)

"""What nodes need from above, and nothing about who provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from nodes.retry_budget import RetryBudget
    from state.agent_context import AgentContext
    from state.caching import CacheDocument
    from state.errors import Problem
    from state.jsonvalue import JsonObject
    from state.outcome import Routing, Try, Usage
    from state.plan_document import PlanDocument
    from state.proposal import PlanningRequest, Proposal


class Told(TypedDict, total=False):
    """What is known of a call beside its reply; it becomes part of the task's outcome."""

    endpoint: str
    tries: list[Try]
    routing: Routing
    usage: Usage
    cost: float


class Dispatch(NamedTuple):
    """Where a call went that may have begun."""

    agent_id: str
    version: str
    endpoint: str
    """Empty for any of the version."""
    whereabouts: str = ""
    """Tells apart what the endpoint's id has stood for; empty where that is not known."""


class DispatchJournal(Protocol):
    """Remembers for one thread, durably, where its calls were sent, and its agents' versions.

    So after a crash no call that may have begun goes elsewhere.
    """

    @property
    def is_empty(self) -> bool:
        """Whether it is known, without looking, that no call may have begun anywhere."""
        ...

    async def sent(self, key: str) -> Dispatch | None:
        """Return where the call with an idempotency key may have begun; None if nowhere."""
        ...

    async def note(self, key: str, dispatch: Dispatch | None) -> None:
        """Remember where a call is about to be sent; None that it did not begin there.

        Raises:
            LeaseLostError: This process may not act for the thread any more.
        """
        ...

    async def version_of(self, agent_id: str) -> str | None:
        """Return the version of an agent that the thread has; None if it has none yet."""
        ...

    async def assign(self, agent_id: str, version: str, *, instead_of: str | None = None) -> str:
        """Give the thread its version of an agent; return the one that it has, if it had one.

        A version that it had and that is `instead_of`, since it is gone, is replaced.
        """
        ...


class Terms(NamedTuple):
    """Under what a call is made, beside its context."""

    journal: DispatchJournal | None = None
    """None where no thread is held, as in a compiled graph."""
    budget: RetryBudget | None = None
    """How often the run may call again; None is no limit."""
    tries: Sequence[Try] = ()
    """Of earlier attempts at the task."""
    cost: float = 0.0
    """Of earlier attempts at the task."""


NO_TERMS: Final = Terms()


class CallSettings(NamedTuple):
    """What an agent says of its calls; None is nothing."""

    cache: CacheDocument | bool | None = None
    compress_to: int | None = None
    """Most tokens of the input's messages."""
    context: tuple[str, ...] = ()
    """Context sources whose values it gets."""


NO_SETTINGS: Final = CallSettings()


class Agent(Protocol):
    """One version of one agent, ready to be called; of one with endpoints, for one task."""

    @property
    def agent_id(self) -> str:
        """Who it is."""
        ...

    @property
    def version(self) -> str:
        """Which version of it."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether the version changes nothing anywhere."""
        ...

    @property
    def settings(self) -> CallSettings:
        """What it says of its calls."""
        ...

    async def settle(self, context: AgentContext) -> None:
        """Decide on the version for a call, if that is not decided yet.

        Raises:
            AgentError: No version can be called.
        """
        ...

    @property
    def told(self) -> Told | None:
        """What is known of the call so far, also if it failed; None where there is nothing."""
        ...

    @property
    def may_retry(self) -> bool:
        """Whether a call that failed now may be made again later, if the task's policy says so."""
        ...

    def call(self, input_data: JsonObject, context: AgentContext) -> Awaitable[JsonObject]:
        """Do one task and answer with a JSON object.

        Raises:
            AgentError: It could not or would not; anything else that is raised counts as
                a failure too.
        """
        ...


class Agents(Protocol):
    """Finds agents for tasks."""

    def choose(
        self,
        *,
        agent_id: str | None,
        capability: str | None,
        thread_id: str = "",
        terms: Terms = NO_TERMS,
    ) -> Agent:
        """Pick who does a task that names an agent or, failing that, a capability.

        Args:
            agent_id: Who.
            capability: What they must be able to do.
            thread_id: For whose task; a thread stays with its version of an agent.
            terms: Under what the call is made.

        Raises:
            AgentNotFoundError: Nobody enabled fits.
        """
        ...

    @property
    def need_store(self) -> bool:
        """Whether any of them is a LangChain Runnable, which may ask LangGraph for its store."""
        ...

    def problem_with(self, *, agent_id: str | None, capability: str | None) -> Problem | None:
        """Say why a task for this agent or capability could not run, before anything does."""
        ...


class Clock(Protocol):
    """Wall time and waiting, so that tests need not wait."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Planner(Protocol):
    """Splits a request in plain words into tasks."""

    async def propose(self, request: PlanningRequest) -> Proposal:
        """Plan a request, or say what was not understood.

        Raises:
            AgentError: It could not; e.g. the model behind it does not answer.
        """
        ...


class Delegation(Protocol):
    """Makes plans of requests inside a graph, and graphs of plans."""

    async def plan(self, messages: Sequence[JsonObject], *, run_id: str) -> PlanDocument:
        """Plan what messages ask for; without tasks if they were not understood."""
        ...

    def graph_of(self, plan: PlanDocument) -> Any:  # noqa: ANN401  LangGraph's type is heavy
        """Return the compiled graph of a plan."""
        ...


class LeaseGuard(Protocol):
    """Tells whether this process may still act for a thread."""

    async def confirm(self) -> None:
        """Return if it may.

        Raises:
            LeaseLostError: It may not.
        """
        ...

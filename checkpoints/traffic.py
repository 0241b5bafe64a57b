"""What processes that share a database know together of agents' endpoints, and what calls cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from state.jsonvalue import JsonObject

Switch = Literal["enabled", "disabled", "draining"]
"""`draining`: it gets no new calls and no new threads; what it has is finished."""


class Place(NamedTuple):
    """An endpoint, a version of an agent, or an agent."""

    agent_id: str
    version: str = ""
    """Empty for the agent as a whole."""
    endpoint: str = ""
    """Empty for the version as a whole."""


class SharedState(NamedTuple):
    """The state of an endpoint's breaker and health."""

    place: Place
    state: JsonObject
    """As `orchestration.routing` writes it."""
    revision: int
    """Counts the changes; 0 before the first is written."""
    updated_at: float
    """Seconds since the epoch."""


class Switched(NamedTuple):
    """That somebody switched a place on or off."""

    place: Place
    switch: Switch
    by: str | None
    reason: str
    at: float


class CallRecord(NamedTuple):
    """What became of one task's calls, for reports; written when a run pauses or ends."""

    run_id: str
    path: str
    """Of the task in its run; in a cycle with the turn, e.g. `talk#2/buyer`."""
    thread_id: str
    tenant: str | None
    agent_id: str
    version: str
    endpoint: str
    """Where it was called last; may be empty."""
    status: str
    """A `TaskStatus`, as plain text."""
    calls: int
    """Over all attempts."""
    seconds: float
    """Of the last attempt."""
    input_tokens: int
    output_tokens: int
    cost: float | None
    """Of all its calls; None where no price is known."""
    finished_at: float


class Totals(NamedTuple):
    """Sums over call records."""

    key: str
    """Of the group: a thread, tenant, agent, or agent and version as `ticketing@2`."""
    tasks: int
    succeeded: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float


class Sample(NamedTuple):
    """One task's call, for a comparison of versions."""

    version: str
    succeeded: bool
    seconds: float
    cost: float | None
    """None where no price is known."""


GroupBy = Literal["thread", "tenant", "agent", "version"]


class TrafficStore(Protocol):
    """Keeps it, in the database of the threads or in memory; safe from any thread or loop."""

    async def states(self) -> Sequence[SharedState]:
        """Return the state of every endpoint that has one."""
        ...

    async def write(self, state: SharedState) -> SharedState | None:
        """Write a state if its revision is still that of the database; it gets the next one.

        Returns:
            None if it was written; else what stands there now.
        """
        ...

    async def switch(self, switched: Switched) -> None:
        """Switch a place, for every process that shares the database."""
        ...

    async def switches(self) -> Mapping[Place, Switched]:
        """Return how places are switched; what was never switched is not there."""
        ...

    async def version_of(self, thread_id: str, agent_id: str) -> str | None:
        """Return the version of an agent that a thread has; None if it has none yet."""
        ...

    async def assign(
        self, thread_id: str, agent_id: str, version: str, *, instead_of: str | None = None
    ) -> str:
        """Give a thread its version of an agent; return the one it has, if it had one already.

        A version that it had and that is `instead_of`, since it is gone, is replaced.
        """
        ...

    async def sent(self, key: str) -> Place | None:
        """Return where the call with an idempotency key may have begun; None if nowhere."""
        ...

    async def note(
        self, key: str, place: Place | None, *, thread_id: str, token: int | None
    ) -> None:
        """Remember where a call is about to be sent; None that it did not begin there.

        Args:
            key: Its idempotency key.
            place: Where.
            thread_id: For whose task.
            token: The fencing token of its lease; None where there are no leases.

        Raises:
            LeaseLostError: The thread has another holder; nothing was written.
        """
        ...

    async def record(self, records: Sequence[CallRecord]) -> None:
        """Write records; one of the same run and path is replaced."""
        ...

    async def totals(
        self, by: GroupBy, *, since: float = 0.0, tenant: str | None = None
    ) -> Sequence[Totals]:
        """Sum up records that finished after `since`, the dearest group first."""
        ...

    async def samples(self, agent_id: str, *, since: float = 0.0) -> Sequence[Sample]:
        """Return the finished tasks of an agent, for a comparison of its versions."""
        ...

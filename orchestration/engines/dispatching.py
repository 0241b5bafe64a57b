"""Under what the calls of a run are made: where they went before, and how often it may call."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from checkpoints.traffic import Place
from nodes.ports import Dispatch, Terms
from nodes.retry_budget import budget_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from checkpoints.traffic import TrafficStore
    from orchestration.engines.segment import Segment
    from state.outcome import Outcome
    from state.run_state import Outcomes


NOTHING: Final[Mapping[str, Outcome]] = MappingProxyType({})
_AT: Final = "@"
"""Between an endpoint's id, which cannot have it, and its whereabouts, in the database."""


class ThreadJournal:
    """The `DispatchJournal` of a thread that this process holds."""

    __slots__ = ("_known", "_noted", "_thread_id", "_token", "_traffic")

    def __init__(
        self,
        traffic: TrafficStore,
        thread_id: str,
        *,
        token: int,
        known: Mapping[str, Outcome] = NOTHING,
        begins: bool = False,
    ) -> None:
        """Take what is to be used.

        Args:
            traffic: Where it is remembered.
            thread_id: Whose calls.
            token: The fencing token of its lease.
            known: What became of its run's tasks; what the run announces is added there.
            begins: Whether the run begins now, so that nobody else can have sent anything.
        """
        self._traffic = traffic
        self._thread_id = thread_id
        self._token = token
        self._known = known
        self._noted: dict[str, Dispatch] | None = {} if begins else None

    @property
    def is_empty(self) -> bool:
        """Whether it is known, without looking, that no call may have begun anywhere."""
        return self._noted is not None and not self._noted

    async def sent(self, key: str) -> Dispatch | None:
        """Return where the call with an idempotency key may have begun; None if nowhere."""
        if self._noted is not None:
            return self._noted.get(key)
        place = await self._traffic.sent(key)
        if place is None:
            return None
        endpoint, _, whereabouts = place.endpoint.partition(_AT)
        return Dispatch(place.agent_id, place.version, endpoint, whereabouts)

    async def note(self, key: str, dispatch: Dispatch | None) -> None:
        """Remember, durably, where a call is about to be sent; None that it did not begin there.

        Raises:
            LeaseLostError: This process may not act for the thread any more.
        """
        place = None if dispatch is None else _place(dispatch)
        if self._noted is not None and dispatch is not None:
            self._noted[key] = dispatch  # first: it may be written though nobody waits any more
        await self._traffic.note(key, place, thread_id=self._thread_id, token=self._token)
        if self._noted is not None and dispatch is None:
            self._noted.pop(key, None)

    async def version_of(self, agent_id: str) -> str | None:
        """Return the version of an agent that the thread has; None if it has none yet.

        While an agent has one version, nothing is assigned: what was done tells which it was.
        """
        found = await self._traffic.version_of(self._thread_id, agent_id)
        if found is None and (had := next(_versions(self._known, agent_id), None)) is not None:
            return await self.assign(agent_id, had)
        return found

    async def assign(self, agent_id: str, version: str, *, instead_of: str | None = None) -> str:
        """Give the thread its version of an agent; the first stays, but one that is gone."""
        return await self._traffic.assign(self._thread_id, agent_id, version, instead_of=instead_of)


def _versions(known: Mapping[str, Outcome], agent_id: str) -> Iterator[str]:
    """The versions of an agent that did tasks, and those inside them."""
    for outcome in tuple(known.values()):
        if outcome.get("agent") == agent_id and "version" in outcome:
            yield outcome["version"]
        yield from _versions(outcome.get("inner", {}), agent_id)


def _place(sent: Dispatch) -> Place:
    at = f"{sent.endpoint}{_AT}{sent.whereabouts}" if sent.whereabouts else sent.endpoint
    return Place(sent.agent_id, sent.version, at)


def terms_of(segment: Segment, known: Outcomes, traffic: TrafficStore) -> Terms:
    """The terms of a segment's calls."""
    lease = segment.held.lease
    journal = ThreadJournal(
        traffic, lease.thread_id, token=lease.token, known=known, begins=segment.begins
    )
    return Terms(journal, budget_of(segment.plan.document, known, scopes=segment.scopes))

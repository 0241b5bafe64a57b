"""What a process knows of agents' endpoints, where calls went and what they cost; in memory."""

from __future__ import annotations

import json
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, Final

from checkpoints.call_records import storable
from checkpoints.traffic import Place, Sample, SharedState, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from checkpoints.memory_threads import MemoryThreads
    from checkpoints.traffic import CallRecord, GroupBy, Switched

_SUCCEEDED: Final = frozenset({"succeeded", "compensated"})
_COMPARED: Final = _SUCCEEDED | {"failed", "timed_out"}


class MemoryTraffic:
    """A `TrafficStore` for `memory://`; nothing in it waits."""

    def __init__(self, threads: MemoryThreads) -> None:
        """Take the threads, whose leases fence what is noted; a deleted one is forgotten."""
        self._threads = threads
        self._lock = Lock()
        self._states: dict[Place, tuple[str, int, float]] = {}
        self._switches: dict[Place, Switched] = {}
        self._assigned: dict[str, dict[str, str]] = {}
        self._sent: dict[str, Place] = {}
        self._keys: dict[str, set[str]] = {}
        """Of `_sent`, by thread."""
        self._records: dict[tuple[str, str], CallRecord] = {}
        threads.on_forget += [
            lambda thread_id: self._assigned.pop(thread_id, None),
            self.forget_sent,
        ]
        threads.on_copy.append(self._copy_assigned)

    async def states(self) -> Sequence[SharedState]:
        """Return the state of every endpoint that has one."""
        with self._lock:
            return [self._state(place) for place in self._states]

    async def write(self, state: SharedState) -> SharedState | None:
        """Write a state if its revision is the latest; else return what stands there."""
        with self._lock:
            found = self._state(state.place)
            if found.revision != state.revision:
                return found
            written = json.dumps(state.state), state.revision + 1, state.updated_at
            self._states[state.place] = written
            return None

    def _state(self, place: Place) -> SharedState:
        state, revision, updated_at = self._states.get(place, ("{}", 0, 0.0))
        return SharedState(place, json.loads(state), revision, updated_at)

    async def switch(self, switched: Switched) -> None:
        """Switch a place."""
        with self._lock:
            self._switches[switched.place] = switched

    async def switches(self) -> Mapping[Place, Switched]:
        """Return how places are switched."""
        with self._lock:
            return dict(self._switches)

    async def version_of(self, thread_id: str, agent_id: str) -> str | None:
        """Return the version of an agent that a thread has."""
        with self._lock:
            return self._assigned.get(thread_id, {}).get(agent_id)

    async def assign(
        self, thread_id: str, agent_id: str, version: str, *, instead_of: str | None = None
    ) -> str:
        """Give a thread its version of an agent; the first stays, but one that is gone."""
        with self._lock:
            assigned = self._assigned.setdefault(thread_id, {})
            if instead_of is not None and assigned.get(agent_id) == instead_of:
                assigned[agent_id] = version
            return assigned.setdefault(agent_id, version)

    def keep_versions(self, records: Iterable[CallRecord]) -> None:
        """Let a thread stay with the versions that did its tasks, where it was given none."""
        with self._lock:
            for each in records:
                self._assigned.setdefault(each.thread_id, {}).setdefault(
                    each.agent_id, each.version
                )

    async def sent(self, key: str) -> Place | None:
        """Return where a call may have begun."""
        with self._lock:
            return self._sent.get(key)

    async def note(
        self, key: str, place: Place | None, *, thread_id: str, token: int | None
    ) -> None:
        """Remember where a call is about to be sent; None that it did not begin there."""
        if token is not None:
            self._threads.check_token(thread_id, token)
        with self._lock:
            if place is None:
                self._sent.pop(key, None)
                self._keys.get(thread_id, set()).discard(key)
            else:
                self._sent[key] = place
                self._keys.setdefault(thread_id, set()).add(key)

    def forget_sent(self, thread_id: str) -> None:
        """Forget where calls of a thread went, as its run is over, or it is deleted."""
        with self._lock:
            for key in self._keys.pop(thread_id, ()):
                self._sent.pop(key, None)

    def _copy_assigned(self, source: str, target: str) -> None:
        """Let the copy of a thread stay with its versions."""
        with self._lock:
            if source in self._assigned:
                self._assigned[target] = {**self._assigned[source]}

    async def record(self, records: Sequence[CallRecord]) -> None:
        """Write records; one of the same run and path is replaced."""
        self.keep(records)

    def keep(self, records: Iterable[CallRecord]) -> None:
        """Do what `record` does, without waiting."""
        with self._lock:
            for each in records:
                self._records[each.run_id, each.path] = storable(each)

    async def totals(
        self, by: GroupBy, *, since: float = 0.0, tenant: str | None = None
    ) -> Sequence[Totals]:
        """Sum up records, the dearest group first."""
        groups: dict[str, list[CallRecord]] = defaultdict(list)
        for each in self._since(since):
            if tenant is None or each.tenant == tenant:
                groups[_key(each, by)].append(each)
        sums = [_sum(key, records) for key, records in groups.items()]
        return sorted(sums, key=lambda each: (-each.cost, -each.tasks, each.key))

    async def samples(self, agent_id: str, *, since: float = 0.0) -> Sequence[Sample]:
        """Return the finished tasks of an agent, the oldest first."""
        found = [
            each
            for each in self._since(since)
            if each.agent_id == agent_id and each.status in _COMPARED
        ]
        found.sort(key=lambda each: (each.finished_at, each.path))
        return [
            Sample(each.version, each.status in _SUCCEEDED, each.seconds, each.cost)
            for each in found
        ]

    def _since(self, since: float) -> list[CallRecord]:
        with self._lock:
            return [each for each in self._records.values() if each.finished_at > since]


def _key(record: CallRecord, by: GroupBy) -> str:
    match by:
        case "thread":
            return record.thread_id
        case "tenant":
            return record.tenant or ""
        case "agent":
            return record.agent_id
        case "version":
            return f"{record.agent_id}@{record.version}"


def _sum(key: str, records: Sequence[CallRecord]) -> Totals:
    return Totals(
        key=key,
        tasks=len(records),
        succeeded=sum(each.status in _SUCCEEDED for each in records),
        calls=sum(each.calls for each in records),
        input_tokens=sum(each.input_tokens for each in records),
        output_tokens=sum(each.output_tokens for each in records),
        cost=sum(each.cost or 0.0 for each in records),
    )

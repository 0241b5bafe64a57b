"""The versions of one agent: which one a thread gets, and the pool of each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.routing.pool import Pool
from orchestration.routing.versions import Split, ramped
from orchestration.routing.waiting_line import WaitingLine

if TYPE_CHECKING:
    from orchestration.agents.spec import AgentSpec
    from orchestration.routing.endpoint_state import EndpointState

REMEMBERED: Final = 100_000
"""Threads of callers without a database whose version is kept in memory."""


_STRICTNESS: Final = ("enabled", "draining", "disabled")


class VersionState:
    """One version of an agent, with its endpoints and the calls that wait for one."""

    def __init__(self, spec: AgentSpec, *, changed: Callable[[EndpointState], None]) -> None:
        self.pool = Pool(spec, changed=changed)
        self.line = WaitingLine()
        self.own_switch = "enabled"
        self.agents_switch = "enabled"
        self.switch = "enabled"
        """Whether people want it to get calls: what was said of it, or of the whole agent."""

    def switched(self, *, own: str | None = None, agents: str | None = None) -> None:
        """Note what people want, of the version or of the agent as a whole."""
        self.own_switch = self.own_switch if own is None else own
        self.agents_switch = self.agents_switch if agents is None else agents
        self.switch = max(self.own_switch, self.agents_switch, key=_STRICTNESS.index)

    @property
    def spec(self) -> AgentSpec:
        """What was registered."""
        return self.pool.spec

    def weight(self, now: float) -> float:
        """Its share of new threads."""
        if self.switch == "draining":
            return 0.0
        return self.spec.weight if self.spec.ramp is None else ramped(self.spec.ramp, now)

    def takes_calls(self, now: float) -> bool:
        """Whether an endpoint of it takes calls, or will when a call ends."""
        self.pool.catch_up(now)
        return self.pool.serving > 0 or self.pool.is_full()


class Chosen(NamedTuple):
    """A version for a call."""

    version: VersionState
    why: str
    """Empty where there was no choice."""
    is_new: bool = False
    """Whether the thread has to be told to stay with it."""


class AgentGroup:
    """All versions of an agent. Not safe by itself: its owner holds a lock."""

    def __init__(self) -> None:
        self.versions: dict[str, VersionState] = {}
        self._split = Split()
        self._threads: OrderedDict[str, str] = OrderedDict()

    def candidates(self) -> list[VersionState]:
        """The enabled versions of the highest priority, the last registered first."""
        enabled = [
            each
            for each in self.versions.values()
            if each.spec.enabled and each.switch != "disabled"
        ]
        if len(enabled) < 2:  # noqa: PLR2004
            return enabled
        highest = max(each.spec.priority for each in enabled)
        return [each for each in reversed(enabled) if each.spec.priority == highest]

    def known_version(self, thread_id: str) -> str | None:
        """The version that a thread has, if that is known here."""
        return self._threads.get(thread_id)

    def remember(self, thread_id: str, version: str) -> None:
        """Note which version a thread has."""
        self._threads[thread_id] = version
        self._threads.move_to_end(thread_id)
        if len(self._threads) > REMEMBERED:
            self._threads.popitem(last=False)

    def choose(self, has: str | None, now: float, random: Callable[[], float]) -> Chosen | None:
        """Choose a version for a thread's call; None if none is enabled.

        Args:
            has: The version that the thread has.
            now: Seconds since the epoch.
            random: Gives a number from 0 up to 1.
        """
        all_ = self.candidates()
        if len(all_) == 1 and has is None:
            return Chosen(all_[0], "")
        kept = None if has is None else self.kept(has)
        if kept is not None and kept.takes_calls(now):
            return Chosen(kept, f"version {has}, as before in this thread")
        usable = [each for each in all_ if each.takes_calls(now)] or all_
        if not usable:
            return None if kept is None else Chosen(kept, f"version {has}, as before")
        weights = {each.spec.version: each.weight(now) for each in usable}
        if not any(weights.values()):
            weights = dict.fromkeys(weights, 1.0) if _all_weightless(all_, now) else weights
        if not any(weights.values()):
            return None if kept is None else Chosen(kept, f"version {has}, as before")
        drawn = self._split.draw(weights, random)
        shares = share_words(weights)
        if kept is not None:
            why = f"version {drawn}, as version {has} takes no calls now"
            return Chosen(self.versions[drawn], why)
        return Chosen(self.versions[drawn], f"version {drawn} of {shares}", is_new=True)

    def kept(self, version: str) -> VersionState | None:
        """The version that a thread has, unless it was switched off meanwhile."""
        found = self.versions.get(version)
        if found is None or not found.spec.enabled or found.switch == "disabled":
            return None
        return found

    def shadows(self, used: VersionState) -> Iterator[VersionState]:
        """The versions that get copies of calls of another."""
        for each in self.versions.values():
            if each is not used and each.spec.shadow > 0 and each.switch == "enabled":
                yield each


def share_words(weights: Mapping[str, float]) -> str:
    """Say in words how versions share threads."""
    total = sum(weights.values())
    return ", ".join(
        f"{version} {weight / total:.0%}" for version, weight in sorted(weights.items())
    )


def _all_weightless(versions: Collection[VersionState], now: float) -> bool:
    return all(each.weight(now) <= 0 for each in versions)

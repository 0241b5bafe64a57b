"""What runs have used up of their budgets: a row for each attempt, written around its call."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from state.budget import Balance, Spent

if TYPE_CHECKING:
    from state.budget import BudgetScope

    Admit = Callable[[Sequence[Balance]], bool]
    """Decides whether a call may begin, from how its budgets stand."""


EVER: Final = -math.inf
"""Before every time that a clock may say, also one that begins at 0."""


class Charged(NamedTuple):
    """Whose budgets something counts for."""

    key: str
    """Of the attempt, or of what somebody granted; the same key is the same thing."""
    run_id: str
    thread_id: str
    tenant: str | None
    at: float
    """Seconds since the epoch."""


class Scope(NamedTuple):
    """Whose spending is summed up."""

    per: BudgetScope
    name: str
    since: float = EVER
    """Only what was used after it, in seconds since the epoch."""


class Begun(NamedTuple):
    """What became of a call that was about to be made."""

    admitted: bool
    balances: Sequence[Balance]
    """How its budgets stood before it."""


class SpendingStore(Protocol):
    """Counts what is spent, also over processes that share a database."""

    async def begin(self, charged: Charged, scopes: Sequence[Scope], admit: Admit) -> Begun:
        """Count a call that is about to be made, if it is admitted.

        Looking and counting are one transaction. A call that is made again after a crash, under
        the same key, is admitted, as what it began may have to be found out; it counts again.
        """
        ...

    async def end(self, charged: Charged, used: Spent) -> None:
        """Add what a call used up, once it is over; `used.attempts` is 0 if none was made."""
        ...

    async def balances(self, scopes: Sequence[Scope]) -> Sequence[Balance]:
        """Return how budgets stand."""
        ...

    async def grant(self, charged: Charged, amount: Spent, scope: BudgetScope) -> None:
        """Let more be used up; the same key grants once."""
        ...

    async def asked(self, charged: Charged, about: int | None) -> int | None:
        """Remember about what a question is, and return what it was about when first asked.

        Args:
            charged: The question, by its key.
            about: Which budget, as a number; None if there is nothing to ask about now.

        Returns:
            None if nobody was ever asked it.
        """
        ...


Place = tuple[str, str]
"""A kind of scope, and whose."""


class MemorySpending:
    """A `SpendingStore` for `memory://`, and for graphs without a database.

    Sums are kept, so that only budgets with a window look at single calls.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[str, tuple[float, Spent]] = {}
        """When each call began or ended, and what it used."""
        self._calls_of: defaultdict[Place, dict[str, None]] = defaultdict(dict)
        self._sums: defaultdict[Place, Spent] = defaultdict(Spent)
        self._granted: set[str] = set()
        self._grants_of: defaultdict[Place, list[tuple[float, Spent]]] = defaultdict(list)
        self._asked: dict[str, int] = {}

    async def begin(self, charged: Charged, scopes: Sequence[Scope], admit: Admit) -> Begun:
        """Count a call that is about to be made, if it is admitted."""
        with self._lock:
            found = [self._balance(scope) for scope in scopes]
            admitted = admit(found) or charged.key in self._calls
            if admitted:
                self._add(charged, Spent(attempts=1))
            return Begun(admitted, found)

    async def end(self, charged: Charged, used: Spent) -> None:
        """Add what a call used up, once it is over."""
        with self._lock:
            self._add(charged, used._replace(attempts=used.attempts - 1))

    async def balances(self, scopes: Sequence[Scope]) -> Sequence[Balance]:
        """Return how budgets stand."""
        with self._lock:
            return [self._balance(scope) for scope in scopes]

    async def grant(self, charged: Charged, amount: Spent, scope: BudgetScope) -> None:
        """Let more be used up; the same key grants once."""
        with self._lock:
            if charged.key not in self._granted:
                self._granted.add(charged.key)
                for place in _places(charged):
                    if place[0] == scope:
                        self._grants_of[place].append((charged.at, amount))

    async def asked(self, charged: Charged, about: int | None) -> int | None:
        """Remember about what a question is, and return what it was about when first asked."""
        with self._lock:
            if about is None:
                return self._asked.get(charged.key)
            return self._asked.setdefault(charged.key, about)

    def forget(self, thread_id: str) -> None:
        """Let a thread have spent nothing, as it is deleted; what counts for a tenant stays."""
        place = ("thread", thread_id)
        with self._lock:
            for kept in (self._calls_of, self._sums, self._grants_of):
                kept.pop(place, None)

    def _add(self, charged: Charged, used: Spent) -> None:
        _, before = self._calls.get(charged.key, (charged.at, Spent()))
        self._calls[charged.key] = charged.at, before.plus(used)
        for place in _places(charged):
            self._calls_of[place][charged.key] = None
            self._sums[place] = self._sums[place].plus(used)

    def _balance(self, scope: Scope) -> Balance:
        place, since = (scope.per, scope.name), scope.since
        granted = _sum(self._grants_of.get(place, ()), since)
        if since == EVER:
            return Balance(self._sums.get(place, Spent()), granted)
        calls = (self._calls[key] for key in self._calls_of.get(place, ()))
        return Balance(_sum(calls, since), granted)


def _places(charged: Charged) -> list[Place]:
    places = [("run", charged.run_id), ("thread", charged.thread_id)]
    return places if charged.tenant is None else [*places, ("tenant", charged.tenant)]


def _sum(amounts: Iterable[tuple[float, Spent]], since: float) -> Spent:
    total = Spent()
    for at, amount in amounts:
        if at > since:
            total = total.plus(amount)
    return total

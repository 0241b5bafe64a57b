"""Sources of context: what agents will want to know of a user, fetched while others work."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from orchestration.optimizer.calling import call
from orchestration.optimizer.prefetch import SharedFetches, Wish
from state.errors import ConfigurationError, UnknownSourceError
from state.jsonvalue import described, json_object

if TYPE_CHECKING:
    from orchestration.optimizer.prefetch import Prefetch
    from state.jsonvalue import JsonObject, JsonValue

Fetch = Callable[..., Awaitable[Any] | Any]
"""Gets a user id, or a user id and a tenant; returns a JSON value. Async, or sync for a thread."""

DEFAULT_TTL: Final = timedelta(minutes=5)
DEFAULT_TIMEOUT: Final = timedelta(seconds=5)
DEFAULT_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A registered source; registered again, it is another one, of which nothing is kept."""

    fetch: Fetch
    takes_tenant: bool
    ttl_seconds: float
    timeout_seconds: float

    def wish(self, user_id: str, tenant: str | None) -> Wish:
        return Wish(
            (self, tenant, user_id),
            partial(self._value, user_id, tenant),
            self.ttl_seconds,
            self.timeout_seconds,
        )

    async def _value(self, user_id: str, tenant: str | None) -> JsonValue:
        arguments = (user_id, tenant) if self.takes_tenant else (user_id,)
        fetched = await call(self.fetch, *arguments)
        return json_object({"value": fetched}, at="what it returned")["value"]


class ContextSources:
    """Fetches what agents will want to know of a user: once, in the background, for a while.

    Values are kept by source, tenant and user; whoever wants the same at the same time on one
    event loop shares a fetch. Failures are not kept.

    Args:
        most_entries: Values that are kept; those that were not used for longest go first.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        most_entries: int = DEFAULT_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if most_entries < 1:
            raise ConfigurationError(f"most_entries is {most_entries}; give at least 1")
        self._sources: dict[str, _Source] = {}
        self._fetches = SharedFetches(most_entries, clock)

    def register(
        self,
        name: str,
        fetch: Fetch,
        *,
        ttl: timedelta = DEFAULT_TTL,
        timeout: timedelta = DEFAULT_TIMEOUT,
    ) -> None:
        """Make a source known; one of the same name is replaced, and what it said forgotten.

        Args:
            name: By which its value is found, e.g. `profile`.
            fetch: Gets `(user_id)` or `(user_id, tenant)`, returns a JSON value; async, or sync
                for a thread. It has to look at the tenant where users of two may share an id.
            ttl: How long a value is used; with 0 it is only shared, not kept.
            timeout: After which a fetch is given up, with a note.

        Raises:
            ConfigurationError: Something of it cannot be.
        """
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"the name of the source is {described(name)}; give a text")
        for setting, value in (("ttl", ttl), ("timeout", timeout)):
            if not isinstance(value, timedelta):
                raise ConfigurationError(
                    f"{setting} of {name!r} is {described(value)}; give a timedelta"
                )
        if ttl < timedelta(0):
            raise ConfigurationError(f"ttl of {name!r} is {ttl}; give 0 or more")
        if timeout <= timedelta(0):
            raise ConfigurationError(f"timeout of {name!r} is {timeout}; give more than 0")
        self._sources[name] = _Source(
            fetch, _takes_tenant(name, fetch), ttl.total_seconds(), timeout.total_seconds()
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The registered sources."""
        return tuple(self._sources)

    def begin(
        self, user_id: str, *, names: Iterable[str] | None = None, tenant: str | None = None
    ) -> Prefetch:
        """Begin to fetch at once, on the running event loop; `join` what it returns.

        Whoever begins it ends it: `cancel` it when the run ends, and what is still under way then
        is cancelled unless somebody else wants it.

        Args:
            user_id: Of whom.
            names: Which sources; by default all.
            tenant: Whose user that is.

        Raises:
            UnknownSourceError: A name is not registered. Nothing was fetched.
            ConfigurationError: The user id is empty, or no text. Nothing was fetched.
        """
        wishes = {
            name: self._sources[name].wish(user_id, tenant) for name in self._wanted(user_id, names)
        }
        return self._fetches.begin(wishes)

    async def prefetch(
        self, user_id: str, *, names: Iterable[str] | None = None, tenant: str | None = None
    ) -> JsonObject:
        """Fetch, wait, and return the values by source; those that failed are left out.

        Arguments and errors as for `begin`.
        """
        begun = self.begin(user_id, names=names, tenant=tenant)
        try:
            return (await begun.join()).values
        finally:
            begun.cancel()

    def forget(self, user_id: str, *, tenant: str | None = None) -> None:
        """Keep nothing of a user any longer, as when it was changed."""
        for source in self._sources.values():
            self._fetches.forget(source.wish(user_id, tenant).key)

    def _wanted(self, user_id: object, names: Iterable[str] | None) -> list[str]:
        if not isinstance(user_id, str) or not user_id:
            raise ConfigurationError(f"the user id is {described(user_id)}; give a text")
        if isinstance(names, str):
            raise ConfigurationError(f"names is {names!r}; give a list of them, or None for all")
        wanted = [*self._sources] if names is None else [*names]
        if unknown := [name for name in wanted if name not in self._sources]:
            raise UnknownSourceError(unknown, self._sources)
        return wanted


def _takes_tenant(name: str, fetch: object) -> bool:
    """Whether a source wants to know the tenant beside the user."""
    if not callable(fetch):
        raise ConfigurationError(f"source {name!r} is {described(fetch)}; give a function")
    try:
        signature = inspect.signature(fetch)
    except (TypeError, ValueError):  # some built-in callables have none
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    second = [each for each in signature.parameters.values() if each.kind in kinds][1:2]
    wants = any(each.name == "tenant" or each.default is each.empty for each in second)
    try:
        signature.bind(*(("user", "tenant") if wants else ("user",)))
    except TypeError:
        raise ConfigurationError(
            f"source {name!r} is a function of {signature}; it has to take (user_id) or "
            "(user_id, tenant)"
        ) from None
    return wants

"""The context layer: gives agents what was fetched for them while others worked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from nodes.middleware import context_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nodes.middleware import AgentCall, Proceed, Reply
    from state.jsonvalue import JsonObject

NAME: Final = "context"
_ELSEWHERE: Final = "this process has no source of that name"


class Joined(Protocol):
    """What was fetched, and what could not be."""

    @property
    def values(self) -> JsonObject:
        """Values by the name of their source."""
        ...

    @property
    def notes(self) -> Mapping[str, str]:
        """Why others are missing, by name."""
        ...


class Prefetched(Protocol):
    """Values that are fetched in the background."""

    @property
    def names(self) -> Collection[str]:
        """Of what is fetched."""
        ...

    async def join(self, names: Iterable[str] | None = None) -> Joined:
        """Wait for some of them."""
        ...


class ContextLayer:
    """Waits for the context that a call wants, and puts it into its input."""

    name = NAME

    def __init__(self, prefetched: Prefetched | None) -> None:
        """Take what is fetched for the run; None where nobody knows whose run it is."""
        self._prefetched = prefetched

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Add the context; what the input says itself stays."""
        names = context_names(call)
        if not names:
            return await proceed(call)
        if self._prefetched is None:
            has_user = call.context.user is not None
            why = _ELSEWHERE if has_user else "the run has no user"
            missing: JsonObject = dict.fromkeys(names, why)
            call.tell(NAME, {"verdict": "degraded" if has_user else "missing", "missing": missing})
            return await proceed(call)
        found = await self._prefetched.join([n for n in names if n in self._prefetched.names])
        verdict: JsonObject = {"verdict": "joined", "joined": [*found.values]}
        if lost := [name for name in names if name not in found.values]:
            missing = {name: found.notes.get(name, _ELSEWHERE) for name in lost}
            verdict |= {"verdict": "degraded", "missing": missing}
        call.tell(NAME, verdict)
        own = call.input.get("context", {})
        if not isinstance(own, dict):  # the agent's own word for something else
            return await proceed(call)
        context: JsonObject = {**found.values, **own}
        return await proceed(call.with_input({**call.input, "context": context}))

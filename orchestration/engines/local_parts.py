"""What a process has of a run beside its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from state.outcome import Outcome

    Chunk = tuple[tuple[str, ...], Any]
    """Namespace and payload of LangGraph's `tasks` stream."""


class LocalParts(NamedTuple):
    """Callables that the plan names, and who watches the run."""

    run_id: str = ""
    """The run these belong to; another run of the thread must not use them."""
    callables: Mapping[str, Callable[..., object]] = MappingProxyType({})
    observe: Callable[[str, Outcome], None] | None = None
    """Told each outcome as soon as it is known."""
    watch: Callable[[Chunk], None] | None = None
    """Told each node's beginning and end."""
    say: Callable[[str, str], None] | None = None
    """Told the pieces of agents' text as they come, after the path of the task."""

    def knowing(self, callables: Mapping[str, Callable[..., object]], run_id: str) -> LocalParts:
        """Return these parts, and callables of the run's workflow where it has none itself."""
        if not callables:
            return self
        return self._replace(run_id=run_id, callables={**callables, **self.callables})

    def tell(self, known: Mapping[str, Outcome]) -> None:
        """Say what was known before."""
        if self.observe is not None:
            for task_id, outcome in known.items():
                self.observe(task_id, outcome)

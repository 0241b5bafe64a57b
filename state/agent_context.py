"""What an agent may read beside its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject


def _nobody_listens(_text: str) -> None:
    """Take a piece of text that nobody wants before the reply is complete."""


class AgentContext(NamedTuple):
    """One call of one agent for one task."""

    thread_id: str
    task_id: str
    run_id: str
    idempotency_key: str
    """The same for every attempt at this task of this run, also after a crash and elsewhere.

    An agent with side effects records it with the effect and answers a repeated key
    from the record.
    """
    attempt: int = 1
    """1 for the first call; higher for retries."""
    deadline: float | None = None
    """When the caller stops waiting, seconds since the epoch; None if it never does."""
    upstream: Mapping[str, JsonObject] = MappingProxyType({})
    """Outputs of the tasks this one builds on, by task id."""
    tenant: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    history: Sequence[JsonObject] = ()
    """The last messages of the thread's earlier runs, the oldest first; bounded."""
    emit: Callable[[str], None] = _nobody_listens
    """Give it the pieces of the reply's text as they come, in order; never waits."""

    @property
    def streams(self) -> bool:
        """Whether somebody wants the text in pieces, so that it is worth asking for them."""
        return self.emit is not _nobody_listens

    def __reduce__(self) -> tuple[type[AgentContext], tuple[object, ...]]:
        """Pickle with plain values: a view does not, nor does who listens to the text."""
        plain = self._replace(
            upstream=dict(self.upstream), history=tuple(self.history), emit=_nobody_listens
        )
        return type(self), tuple(plain)

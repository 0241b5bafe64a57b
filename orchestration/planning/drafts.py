"""A task while it is being planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from state.jsonvalue import JsonObject

APPROVAL: Final = "approval"
"""The name of a wish for an approval, until it is clear what it is about."""


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """One task, before it has an id and is tied to others."""

    name: str
    """What its id begins with."""
    capability: str | None
    message: str
    """What its agent reads, complete by itself."""
    quote: str
    clause: Clause
    effect: bool = True
    agent_id: str | None = None
    fields: JsonObject = field(default_factory=dict)
    """What is given to the agent beside the message, such as `action` and `quantity`."""
    refers: bool = False
    """Whether it needs the result of another task of the request."""
    topic: str | None = None
    """The name of the task it refers to, where the request says so."""
    account: str | None = None
    """The customer it is for."""
    missing: str | None = None
    """What has to be asked, unless something else settles it."""
    needs: list[Draft] = field(default_factory=list)
    guards: list[str] = field(default_factory=list)
    """CEL that has to hold, all of it."""
    approval: bool = False
    compensate: JsonObject | None = None
    task_id: str = ""
    assumptions: list[str] = field(default_factory=list)
    amount: float | None = None

    def need(self, other: Draft) -> None:
        """Come after another task and read its answer."""
        if other is not self and other not in self.needs:
            self.needs.append(other)

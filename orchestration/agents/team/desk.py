"""What one agent of the team offers, and how a request finds its action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from orchestration.agents.team.understanding import intended, refuse_doubt
from state.errors import AgentRefusedError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from orchestration.agents.team.ask import Ask
    from orchestration.agents.team.understanding import Intent
    from state.capability import AgentCapability
    from state.jsonvalue import JsonObject


class Perform(Protocol):
    """Does one action. If it has an effect, it is called inside a transaction."""

    def __call__(self, connection: sqlite3.Connection, ask: Ask, /) -> JsonObject:
        """Return the response, or raise `AgentRefusedError` and change nothing."""
        ...


class Action(NamedTuple):
    """One thing an agent does."""

    perform: Perform
    effect: bool = True
    """Whether it changes anything; if so it is done once per idempotency key."""
    speech: bool = False
    """Whether words after a colon are passed on, and not part of the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One agent of the team."""

    agent_id: str
    description: str
    capabilities: tuple[AgentCapability, ...]
    actions: Mapping[str, Action]
    aliases: Mapping[str, str]
    """Other names of actions that callers may use."""
    intents: tuple[Intent, ...]
    examples: tuple[str, ...]
    """Messages that are understood, to show to somebody whose message is not."""

    def action_for(self, ask: Ask) -> Action:
        """Return the action a request names or means.

        Raises:
            AgentRefusedError: It names or means none, or it is in doubt.
        """
        named = ask.words("action")
        if named is None:
            return self._meant(ask)
        name = "_".join(named.lower().replace("-", " ").replace("_", " ").split())
        action = self.actions.get(self.aliases.get(name, name))
        if action is None:
            raise AgentRefusedError(
                f"{self.agent_id} has no action {named!r}; it has {', '.join(self.actions)}. "
                "Nothing was done."
            )
        if action.effect:
            refuse_doubt(ask.text, speech=action.speech)
        return action

    def _meant(self, ask: Ask) -> Action:
        intent = intended(ask.text, self.intents)
        if intent is None:
            said = f"did not understand {ask.text[:120]!r}" if ask.text else "was asked nothing"
            examples = "; ".join(repr(example) for example in self.examples)
            raise AgentRefusedError(
                f"{self.agent_id} {said}. Nothing was done. It understands for example {examples}; "
                f"or give one of the actions {', '.join(self.actions)}."
            )
        return self.actions[intent.action]

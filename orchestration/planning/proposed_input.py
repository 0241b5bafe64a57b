"""What a proposed task would tell its agent: its texts, its numbers, what it touches."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from orchestration.planning.numbers_said import numbers_in, odd_tokens
from orchestration.planning.user_words import GAP, normalised, orders_in
from state.capability import AgentCapability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestration.planning.asking_words import Vocabulary
    from state.jsonvalue import JsonObject, JsonValue
    from state.proposal import AgentCard, ProposedTask

APPROVAL_FIELD = "requires_approval"
"""A field that only asks for approval; it is taken out and never waives one."""


class Told(NamedTuple):
    """What stands in an input, wherever it stands there."""

    text: str
    """Normalised; a switch counts as the words of its name."""
    numbers: frozenset[Decimal]
    odd: frozenset[str]
    """Words that mix letters and digits, e.g. `q3`."""


class Touched(NamedTuple):
    """Which capabilities a task may use."""

    named: frozenset[str]
    """What it says itself: its capability, its action."""
    spoken: frozenset[str]
    """What its text asks its agent for, whatever it says itself."""
    possible: frozenset[str]
    """All that its agents can do."""

    @property
    def all(self) -> frozenset[str]:
        """What policies must look at; where nothing is clear, everything possible."""
        return (self.named | self.spoken) or self.possible


def told_by(input_data: JsonObject) -> Told:
    """Collect the texts and numbers of an input."""
    texts, numbers = [], set[Decimal]()
    for name, value in _leaves(input_data, ""):
        if isinstance(value, bool):
            texts.append(name.replace("_", " "))
        elif isinstance(value, int | float):
            numbers.add(_decimal(value))
        elif isinstance(value, str):
            texts.append(value.replace("_", " ") if name == "action" else value)
    text = normalised("\n".join(texts))
    return Told(text, frozenset(numbers | numbers_in(text)), frozenset(odd_tokens(text)))


def cards_for(task: ProposedTask, agents: Sequence[AgentCard]) -> list[AgentCard]:
    """The agents that may get a task."""
    if task.agent_id is not None:
        return [card for card in agents if card.agent_id == task.agent_id]
    wanted = capability_name(task.capability)
    return [card for card in agents if wanted in map(capability_name, card.capabilities)]


def touched_by(
    task: ProposedTask, cards: Sequence[AgentCard], vocabulary: Vocabulary, told: Told
) -> Touched:
    """Find out which capabilities a task may use."""
    possible = frozenset(capability_name(each) for card in cards for each in card.capabilities)
    named = {capability_name(task.capability)} if task.capability else set()
    action = task.input_data.get("action")
    if isinstance(action, str) and action.strip():
        meant = AgentCapability.of_action(action)
        if meant in possible or meant in AgentCapability.known():
            named.add(str(meant))
    spoken = vocabulary.asked_for(orders_in(told.text).replace(GAP, " ")) & possible
    return Touched(frozenset(named), spoken - named, possible)


def capability_name(name: str | None) -> str:
    """Write a capability as registries do; empty where it cannot be one."""
    return str(AgentCapability(name)) if name and name.strip(" _-") else ""


def _leaves(value: JsonValue, name: str) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if numbers_in(normalised(key)):
                yield name, key
            if not (name == "" and key == APPROVAL_FIELD):
                yield from _leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


def _decimal(value: float) -> Decimal:
    return Decimal(str(value)).normalize() if math.isfinite(value) else Decimal("NaN")

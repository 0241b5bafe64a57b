"""How much a run, a thread or a tenant may use up, and what happens when it has."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, NamedTuple, TypedDict

from state.approval import ApprovalPolicy, PolicyDocument
from state.jsonvalue import JsonObject, described

BudgetScope = Literal["run", "thread", "tenant"]
WhenExceeded = Literal["audit", "pause", "stop"]
SCOPES: Final = ("run", "thread", "tenant")
WHEN_EXCEEDED: Final = ("audit", "pause", "stop")
MEASURES: Final = ("tokens", "cost", "seconds", "attempts")
_LONGEST: Final = timedelta(days=3660)
_ROUNDING: Final = 1e-9
"""Relative; ten times 0.1 are a whole, though floating point numbers say a little less."""


_AMOUNTS: Final[JsonObject] = {
    "type": "object",
    "properties": {name: {"type": "number", "minimum": 0} for name in MEASURES},
    "additionalProperties": False,
}
"""What somebody may allow beyond a budget, as JSON Schema."""


class BudgetDocument(TypedDict):
    """A `Budget` as it stands in a plan."""

    per: BudgetScope
    limits: dict[str, float]
    """By measure; what is not there has no limit."""
    on_exceeded: WhenExceeded
    window_seconds: float | None
    approval: PolicyDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may be used up before the next call of an agent.

    What is used up is known after a call, so the call that exceeds a budget is the last one, and
    calls that run beside each other may exceed it together.
    """

    tokens: int | None = None
    """Given and made, as agents report them."""
    cost: float | None = None
    """In the currency that the agents' prices are in."""
    time: timedelta | None = None
    """While at least one agent is at work; pauses do not count."""
    attempts: int | None = None
    """Calls of agents, also those that failed; answers from a cache are none."""
    per: BudgetScope = "run"
    on_exceeded: WhenExceeded = "stop"
    """`audit` only notes it; `pause` asks whether the limits may be used up once more; `stop` makes
    every further call fail."""
    window: timedelta | None = None
    """Only what was used in this span before now counts; None is ever. Not of a run."""
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    """Who may let a run go on that paused; nobody can `respond` in a budget's place."""

    def problems(self) -> Iterator[str]:
        """Say everything that cannot be."""
        if all(limit is None for limit in self._given()):
            yield "limits nothing; give tokens, cost, time or attempts"
        for name in ("tokens", "attempts"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                yield f"{name} is {described(value)}; give a whole number from 1 on, or None"
        if self.cost is not None and not is_amount(self.cost):
            yield f"cost is {described(self.cost)}; give a number above 0, or None"
        yield from self._problems_of_spans()
        if self.per not in SCOPES:
            yield f"per is {described(self.per)}; use one of {list(SCOPES)}"
        if self.on_exceeded not in WHEN_EXCEEDED:
            yield f"on_exceeded is {described(self.on_exceeded)}; use one of {list(WHEN_EXCEEDED)}"
        yield from self._problems_of_approval()

    def _given(self) -> tuple[object, ...]:
        return self.tokens, self.cost, self.time, self.attempts

    def _problems_of_spans(self) -> Iterator[str]:
        for name, value in (("time", self.time), ("window", self.window)):
            fits = isinstance(value, timedelta) and timedelta(0) < value <= _LONGEST
            if value is not None and not fits:
                yield f"{name} is {described(value)}; give a positive timedelta, or None"
        if self.window is not None and self.per == "run":
            yield "window is for threads and tenants; a run has no window"

    def _problems_of_approval(self) -> Iterator[str]:
        if not isinstance(self.approval, ApprovalPolicy):
            yield f"approval is {described(self.approval)}; give an ApprovalPolicy"
            return
        yield from (f"approval.{problem}" for problem in self.approval.problems())
        if self.approval.when is not None:
            yield "approval.when is for tasks; a budget is asked about when it is used up"
        if not {"approve", "edit"} & set(self.approval.allowed):
            yield "approval.allowed has neither 'approve' nor 'edit'; somebody must say yes"

    def document(self) -> BudgetDocument:
        """The budget as JSON; only for one without problems."""
        limits = {
            "tokens": self.tokens,
            "cost": self.cost,
            "seconds": None if self.time is None else self.time.total_seconds(),
            "attempts": self.attempts,
        }
        policy = self.approval.document()
        policy["allowed"] = [each for each in policy["allowed"] if each != "respond"]
        policy["arguments"] = _AMOUNTS
        return {
            "per": self.per,
            "limits": {name: limit for name, limit in limits.items() if limit is not None},
            "on_exceeded": self.on_exceeded,
            "window_seconds": None if self.window is None else self.window.total_seconds(),
            "approval": policy,
        }


class Spent(NamedTuple):
    """What was used up, or what may be used up beyond a budget."""

    tokens: float = 0
    cost: float = 0
    seconds: float = 0
    attempts: float = 0

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(*(one + another for one, another in zip(self, other, strict=True)))

    def as_json(self) -> JsonObject:
        """The amounts by measure; whole numbers as such."""
        return {name: _tidy(value) for name, value in self._asdict().items()}


class Balance(NamedTuple):
    """How a budget stands."""

    spent: Spent = Spent()
    granted: Spent = Spent()
    """What people allowed beyond it."""


class Overrun(NamedTuple):
    """A budget that is used up."""

    budget: BudgetDocument
    balance: Balance

    @property
    def measures(self) -> list[str]:
        """What of it is used up."""
        return used_up(self.budget, self.balance)

    def __str__(self) -> str:
        limits = limits_of(self.budget, self.balance)
        spent = self.balance.spent.as_json()
        parts = [f"{spent[name]} of {_tidy(limits[name])} {_WORDS[name]}" for name in self.measures]
        return f"the {self.budget['per']} has used {', '.join(parts)}"

    def as_json(self) -> JsonObject:
        """What was used, of what, by whom."""
        limits = limits_of(self.budget, self.balance)
        return {
            "per": self.budget["per"],
            "used_up": list(self.measures),
            "limits": {name: _tidy(limit) for name, limit in limits.items()},
            "spent": self.balance.spent.as_json(),
        }


_WORDS: Final = {
    "tokens": "tokens",
    "cost": "money",
    "seconds": "seconds of work",
    "attempts": "calls",
}
_ONE: Final = {"tokens": "token", "seconds": "second of work", "attempts": "call"}


def said(amounts: Mapping[str, float]) -> str:
    """Amounts by measure, for people: `150 tokens, 2.5 money`."""
    return ", ".join(
        f"{_tidy(amount)} {_ONE.get(name, _WORDS[name]) if amount == 1 else _WORDS[name]}"
        for name, amount in amounts.items()
    )


def limits_of(budget: BudgetDocument, balance: Balance) -> dict[str, float]:
    """The limits of a budget, with what people allowed beyond it."""
    granted = balance.granted._asdict()
    return {name: limit + granted[name] for name, limit in budget["limits"].items()}


def used_up(budget: BudgetDocument, balance: Balance) -> list[str]:
    """Say which measures of a budget leave nothing for another call."""
    spent = balance.spent._asdict()
    limits = limits_of(budget, balance)
    return [name for name, limit in limits.items() if spent[name] >= limit * (1 - _ROUNDING)]


def overruns(
    budgets: Sequence[BudgetDocument], balances: Sequence[Balance], *kinds: WhenExceeded
) -> list[Overrun]:
    """The budgets of some kinds that are used up."""
    return [
        Overrun(budget, balance)
        for budget, balance in zip(budgets, balances, strict=True)
        if budget["on_exceeded"] in kinds and used_up(budget, balance)
    ]


def grant_in(arguments: Mapping[str, object]) -> Spent | None:
    """Read what somebody allows beyond a budget; None if that is no set of amounts."""
    if not set(arguments) <= set(MEASURES):
        return None
    amounts = {name: value for name, value in arguments.items() if value is not None}
    if not all(is_amount(value, least=0) for value in amounts.values()):
        return None
    return Spent(**{name: float(value) for name, value in amounts.items()})  # type: ignore[arg-type]  # they are numbers


def is_amount(value: object, *, least: float | None = None) -> bool:
    """Whether `value` is a finite number above 0, or from `least` on."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    if not -sys.float_info.max <= value <= sys.float_info.max:
        return False
    return value > 0 if least is None else value >= least


def _tidy(value: float) -> int | float:
    return int(value) if float(value).is_integer() else round(float(value), 6)

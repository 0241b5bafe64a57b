"""A condition that was understood, and the CEL that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


class About(StrEnum):
    """What a condition is about."""

    PRICE = "price"
    UNIT_PRICE = "unit_price"
    SEATS = "seats"
    BUDGET = "budget"
    LEFT = "left"
    """Of seats or of a budget, whichever was asked about."""
    DAYS = "days"
    SUCCESS = "success"
    FAILURE = "failure"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An operator and what a value is compared with."""

    operator: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that was understood, not yet tied to a task."""

    about: About
    comparisons: tuple[Comparison, ...] = ()
    words: str = ""
    negated: bool = False
    """Whether it has to be false; comparisons are then alternatives."""

    def opposite(self) -> Condition:
        """The condition for `otherwise`."""
        return replace(self, negated=not self.negated)


def cel_of(condition: Condition, *, value: str, guards: list[str]) -> str:
    """Write comparisons as CEL that is false, and no error, where there is no value.

    Args:
        condition: What has to hold.
        value: The CEL expression that is compared.
        guards: Paths such as `outputs.purchase.total_price` that have to exist.
    """
    compared = [
        f"{value} {_OPPOSITE[item.operator] if condition.negated else item.operator} {item.value}"
        for item in condition.comparisons
    ]
    joined = (" || " if condition.negated else " && ").join(compared)
    if condition.negated and len(compared) > 1:
        joined = f"({joined})"
    return " && ".join([*(exists(path) for path in guards), joined])


def exists(path: str) -> str:
    """Write as CEL that a path such as `outputs.purchase.order_id` leads somewhere."""
    parts = path.split(".")
    return " && ".join(f"has({'.'.join(parts[:end])})" for end in range(2, len(parts) + 1))


def holds_for(condition: Condition, value: float) -> bool:
    """Judge comparisons for a value that is known already."""
    judged = [
        {
            ">": value > item.value,
            ">=": value >= item.value,
            "<": value < item.value,
            "<=": value <= item.value,
        }[item.operator]
        for item in condition.comparisons
    ]
    return not all(judged) if condition.negated else all(judged)

"""What counts as an amount that somebody may grant."""

from __future__ import annotations

import math

import pytest

from state.budget import Spent, grant_in


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, True, -1, "5", [5], 10**400])
def test_what_is_no_amount_grants_nothing(amount: object) -> None:
    assert grant_in({"tokens": amount}) is None


def test_names_that_no_budget_has_grant_nothing() -> None:
    assert grant_in({"tokens": 5, "everything": 1}) is None


def test_amounts_from_nothing_on_are_granted() -> None:
    assert grant_in({"tokens": 5, "cost": 0, "seconds": None}) == Spent(tokens=5)

"""Amounts of money: how people write them, how they are stored (cents) and shown (dollars)."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from state.errors import AgentRefusedError

CURRENCY: Final = "USD"

_LARGEST_CENTS = 10**15
_SCALES = {"k": 1_000, "thousand": 1_000, "grand": 1_000, "m": 10**6, "million": 10**6, "": 1}
_AMOUNT = re.compile(
    r"""(?<![\w.,])
    (?P<minus>-\s?)? (?P<before>us\$|\$|usd\s?)? \s? (?P<inner_minus>-)?
    (?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)
    (?:\s?(?P<scale>k|m|thousand|million|grand)\b)?
    (?:\s?(?P<after>usd|dollars?|bucks|\$)(?!\w))?
    (?![0-9]|[.,][0-9]|%|[a-z]|-[0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_SAID_BEFORE = re.compile(
    r"\b(?:amount|worth|value|valued at|(?:expense|total|cost|deal|budget|amount|value|price) of)"
    r"[\s:=]*$",
    re.IGNORECASE,
)
_SAID_AFTER = re.compile(r"\s+(?:expense|proposal|opportunity|deal)\b", re.IGNORECASE)
_FOREIGN = re.compile(
    r"[€£¥]|[0-9]\s?(?:eur|euros?|gbp|pounds?|yen|jpy|chf|cad|aud)\b", re.IGNORECASE
)


def amount_in(text: str) -> int | None:
    """Return the amount of dollars that a text speaks of, in cents; None if it has none.

    Raises:
        AgentRefusedError: It has several, one below zero, one in another currency, or
            one that cannot be read.
    """
    if _FOREIGN.search(text):
        raise _refused(text, "names another currency; the books are kept in US dollars")
    found = {_cents(match, text) for match in _AMOUNT.finditer(text) if _is_money(match, text)}
    if len(found) > 1:
        listed = ", ".join(money(cents) for cents in sorted(found))
        raise _refused(text, f"speaks of several amounts ({listed}); give one")
    if not found and "$" in text:
        raise _refused(text, "has an amount that cannot be read; write it like $1,250.50")
    return next(iter(found), None)


def cents_of(dollars: float) -> int | None:
    """Return dollars as whole cents; None if they are no sensible amount."""
    if abs(dollars) >= _LARGEST_CENTS // 100 or not math.isfinite(dollars):
        return None
    return int((Decimal(str(dollars)) * 100).quantize(Decimal(1)))


def dollars(cents: int) -> float:
    """Return cents as the dollars that JSON carries."""
    return round(cents / 100, 2)


def money(cents: int) -> str:
    """Return cents as people read them, e.g. `$1,250.50`."""
    return f"-${-cents / 100:,.2f}" if cents < 0 else f"${cents / 100:,.2f}"


def _is_money(match: re.Match[str], text: str) -> bool:
    return bool(
        match["before"]
        or match["after"]
        or match["scale"]
        or _SAID_BEFORE.search(text, 0, match.start())
        or _SAID_AFTER.match(text, match.end())
    )


def _cents(match: re.Match[str], text: str) -> int:
    scale = _SCALES[(match["scale"] or "").lower()]
    cents = Decimal(match["number"].replace(",", "")) * scale * 100
    if match["minus"] or match["inner_minus"]:
        raise _refused(text, "has an amount below zero; amounts start at $0.01")
    if cents != cents.to_integral_value():
        raise _refused(text, "has an amount finer than a cent; write it like $1,250.50")
    if cents > _LARGEST_CENTS:
        raise _refused(text, "has an amount too large for the books")
    return int(cents)


def _refused(text: str, why: str) -> AgentRefusedError:
    return AgentRefusedError(f"{text[:120]!r} {why}. Nothing was done.")

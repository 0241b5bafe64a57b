"""What calls of an agent cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.agents.model_prices import (
    Rate,
    TokenPrices,
    UnknownPriceError,
    token_prices,
)
from state.jsonvalue import described

if TYPE_CHECKING:
    from datetime import datetime

    from state.outcome import Usage

MOST: Final = 1e12
"""Of a price; far more than any, and sums of it stay finite."""
_RANGE: Final = "from 0 to a million millions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a call costs: something each time, and something for each token.

    All in one currency, which is the user's business; what `genai-prices` knows is in USD.
    """

    per_call: float = 0.0
    model: str | None = None
    """A model whose token prices `genai-prices` knows, e.g. `gemini-2.5-flash`."""
    provider: str | None = None
    """Whose model, e.g. `google`; guessed if not given."""
    per_million_input: float | None = None
    """For input tokens; instead of `model`."""
    per_million_output: float | None = None

    @property
    def counts_tokens(self) -> bool:
        """Whether what a call costs depends on its tokens."""
        return (self.model, self.per_million_input, self.per_million_output) != (None, None, None)


def problems(price: object) -> Iterator[str]:
    """What is wrong with the cost of an agent or an endpoint, in words.

    A model is looked up, so that one without a price is found here, and not when it is called.
    """
    if price is None:
        return
    if not isinstance(price, Price):
        if not _is_amount(price):
            yield f"cost is {described(price)}; give a number {_RANGE}, or a Price"
        return
    for name in ("per_call", "per_million_input", "per_million_output"):
        amount = getattr(price, name)
        if not _is_amount(amount) and (amount is not None or name == "per_call"):
            yield f"cost.{name} is {described(amount)}; give a number {_RANGE}"
    yield from _model_problems(price)


def cost_of(
    price: Price | float | None, usage: Usage | None, *, at: datetime | None = None
) -> float | None:
    """Return what one call cost, in the currency of its price.

    All input tokens count as fresh and as text, since agents say no more: where a provider
    asks less for cached ones, this is the most that it can have been. Nothing is rounded
    (the result is within a few units of a double's last place); round what you show.

    Args:
        price: As `problems` accepts it; a number is the price of each call.
        usage: What the model used; None if the agent did not say it, and then only the
            price of the call itself counts.
        at: When it was made; by default now. Some models cost less at night.

    Returns:
        From 0 on. None if nothing is known: there is no price, or all of it is for tokens
        and nobody counted them.

    Raises:
        UnknownPriceError: The price's model has none; `problems` says so before.
    """
    if not isinstance(price, Price):
        return None if price is None else float(price)
    if not price.counts_tokens:
        return float(price.per_call)
    if usage is None:
        return float(price.per_call) or None
    return math.fsum((price.per_call, *_token_prices(price, at).parts(usage)))


def _token_prices(price: Price, at: datetime | None) -> TokenPrices:
    if price.model is not None:
        return token_prices(price.model, price.provider, at=at)
    given, made = price.per_million_input or 0.0, price.per_million_output or 0.0
    return TokenPrices(given=Rate(given), made=Rate(made), request=0.0)


def _model_problems(price: Price) -> Iterator[str]:
    for name in ("model", "provider"):
        value = getattr(price, name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            yield f"cost.{name} is {described(value)}; give its name, or leave it out"
            return
    if price.model is None:
        if price.provider is not None:
            yield f"cost.provider is {price.provider!r}, but there is no cost.model; give that"
        return
    if price.per_million_input is not None or price.per_million_output is not None:
        yield (
            f"cost.model is {described(price.model)}, and there are prices per million tokens; "
            "give one or the other"
        )
    try:
        token_prices(price.model, price.provider)
    except UnknownPriceError as unknown:
        yield f"cost.model: {unknown}"


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST

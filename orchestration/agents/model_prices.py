"""What a model's tokens cost, as `genai-prices` has it: offline, looked up once for each model."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

    from state.outcome import Usage

_MILLION: Final = 1e6
_BY_TOKEN: Final = frozenset({"input_mtok", "output_mtok"})
_SUGGESTED: Final = 5


class Rate(NamedTuple):
    """USD for a million tokens of one sort."""

    base: float
    steps: tuple[tuple[int, float], ...] = ()
    """Where a request of more input tokens than this has another rate for all of its tokens;
    the highest step first."""

    def at(self, input_tokens: int) -> float:
        """The rate of a request of that many input tokens."""
        for start, rate in self.steps:
            if input_tokens > start:
                return rate
        return self.base


class TokenPrices(NamedTuple):
    """What a request to a model costs, in USD."""

    given: Rate
    made: Rate
    request: float
    """For the request itself, whatever its tokens."""

    def parts(self, usage: Usage) -> tuple[float, float, float]:
        """What the request, its input and its output cost."""
        given, made = usage["input_tokens"], usage["output_tokens"]
        return (
            self.request,
            given * self.given.at(given) / _MILLION,
            made * self.made.at(given) / _MILLION,
        )


class UnknownPriceError(LookupError):
    """Raised for a model without a price for tokens; says why."""


def token_prices(model: str, provider: str | None, *, at: datetime | None = None) -> TokenPrices:
    """Return what a model costs at a time, by default now.

    Some cost less at night, or another sum from a date on. Prices are looked up once in a
    process: what `genai_prices.UpdatePrices` fetches counts for models not asked for before.
    The first call for a model takes milliseconds, and the first of all a tenth of a second.

    Raises:
        UnknownPriceError: It has no price, or none for tokens.
    """
    fixed, info = _known(model, provider)
    return fixed or _converted(info.get_prices(at or datetime.now(UTC)))


@lru_cache(maxsize=1024)
def _known(model: str, provider: str | None) -> tuple[TokenPrices | None, ModelInfo]:
    """What is known of a model, with its prices if those do not depend on the time."""
    from genai_prices import Usage, calc_price  # noqa: PLC0415  a tenth of a second
    from genai_prices.types import ModelPrice  # noqa: PLC0415

    try:
        # the documented way to a model's entry is to ask for the price of nothing
        found = calc_price(Usage(input_tokens=0, output_tokens=0), model, provider_id=provider)
    except LookupError:
        raise UnknownPriceError(_unknown(model, provider)) from None
    prices = found.model.prices
    always = prices if isinstance(prices, ModelPrice) else None
    sometimes = [] if isinstance(prices, ModelPrice) else [each.prices for each in prices]
    for each in sometimes if always is None else [always]:
        if (said := _keys(each)) and not said & _BY_TOKEN:
            raise UnknownPriceError(
                f"genai-prices has a price for {model!r}, but not for tokens (only for "
                f"{sorted(said)!r}); give per_call, or per_million_input and per_million_output"
            )
    return None if always is None else _converted(always), found.model


def _converted(prices: ModelPrice) -> TokenPrices:
    """The prices as floats; a model without any is free of charge."""
    return TokenPrices(
        given=_rate(prices.input_mtok),
        made=_rate(prices.output_mtok),
        request=_rate(prices.requests_kcount).base / 1000,
    )


def _rate(price: Decimal | TieredPrices | None) -> Rate:
    from genai_prices.types import TieredPrices  # noqa: PLC0415  it is loaded by now

    if not isinstance(price, TieredPrices):
        return Rate(float(price or 0))
    steps = ((tier.start, float(tier.price)) for tier in reversed(price.tiers))
    return Rate(float(price.base), tuple(steps))


def _keys(prices: ModelPrice) -> set[str]:
    return {key for key, value in vars(prices).items() if value is not None}


def _unknown(model: str, provider: str | None) -> str:
    """Say that nothing is known of a model, and what is known that looks like it."""
    from difflib import get_close_matches  # noqa: PLC0415  only for a mistake

    names = dict.fromkeys(_names(provider))
    whose = f" of {provider!r}" if provider is not None else ""
    if provider is not None and not names:
        return f"genai-prices knows no provider {provider!r}; correct it, or leave it out"
    close = get_close_matches(model, names, n=_SUGGESTED)
    hint = f" (it knows {close!r})" if close else ""
    return (
        f"genai-prices knows no model {model!r}{whose}{hint}; correct it, or give "
        "per_million_input and per_million_output"
    )


def _names(provider: str | None) -> Iterator[str]:
    """The models that are known of a provider, or of all."""
    from genai_prices.data import providers  # noqa: PLC0415  as above
    from genai_prices.data_snapshot import find_provider_by_id  # noqa: PLC0415

    only = None if provider is None else find_provider_by_id(providers, provider)
    if provider is not None and only is None:
        return
    for each in providers if only is None else [only]:
        yield from (model.id for model in each.models)

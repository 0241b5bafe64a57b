"""What calls of an agent cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from state.outcome import Usage


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


def cost_of(price: Price | float | None, usage: Usage | None) -> float | None:
    """Return what a call cost; None where no price is known."""
    if price is None:
        return None
    if not isinstance(price, Price):
        return float(price)
    raise NotImplementedError(usage)

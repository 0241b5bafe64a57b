"""What calls of an agent cost."""

from __future__ import annotations

from dataclasses import dataclass


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

"""Histories cut to a budget of tokens, keeping what the next call needs."""

from __future__ import annotations

from nodes.compression.compress import (
    AsyncSummarise,
    Compressed,
    Summarise,
    acompress,
    compress,
)
from nodes.compression.counting import Calibration, TokenCounter, approximate_tokens

__all__ = [
    "AsyncSummarise",
    "Calibration",
    "Compressed",
    "Summarise",
    "TokenCounter",
    "acompress",
    "approximate_tokens",
    "compress",
]

"""How many tokens an agent's model counts for each approximate one, learnt from its usage.

Of what a model counts, a part is the agent's own (instructions, tools) and the same in each call.
So it is the slope that counts: how much more is counted where more was sent.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from nodes.compression.counting import Calibration, bounded

MOST_AGENTS: Final = 1000
MOST_TOKENS: Final = 10**9
"""What is believed of one call, so that no claim is too large a number to reckon with."""
FADING: Final = 0.95
"""What a sample counts against the one after it."""
LEAST_SAMPLES: Final = 3
LEAST_SPREAD: Final = 50.0
"""Tokens by which samples must differ (as a standard deviation) before a slope says anything."""


class _Line:
    """A straight line through fading samples."""

    __slots__ = ("count", "x", "xx", "xy", "y")

    def __init__(self) -> None:
        self.count = self.x = self.y = self.xx = self.xy = 0.0

    def add(self, x: float, y: float) -> None:
        """Take one sample in."""
        self.count = self.count * FADING + 1
        self.x = self.x * FADING + x
        self.y = self.y * FADING + y
        self.xx = self.xx * FADING + x * x
        self.xy = self.xy * FADING + x * y

    def slope(self) -> float | None:
        """How steep it is; None where too little is known."""
        if self.count < LEAST_SAMPLES * FADING:
            return None
        mean = self.x / self.count
        variance = self.xx / self.count - mean * mean
        if variance < LEAST_SPREAD**2:
            return None
        return (self.xy / self.count - mean * self.y / self.count) / variance


class TokenRatios:
    """The ratios of the agents called last, from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    def learn(self, agent: str, *, approximate: int, actual: int) -> None:
        """Take in what a call's messages were counted as, and what the model said."""
        if approximate <= 0 or actual <= 0:
            return
        with self._lock:
            self._lines.setdefault(agent, _Line()).add(approximate, min(actual, MOST_TOKENS))
            self._lines.move_to_end(agent)
            if len(self._lines) > MOST_AGENTS:
                self._lines.popitem(last=False)

    def counter(self, agent: str) -> Calibration:
        """What counts tokens for an agent; the approximate count as long as little is known."""
        with self._lock:
            line = self._lines.get(agent)
            slope = None if line is None else line.slope()
        return Calibration() if slope is None else Calibration(bounded(slope), LEAST_SAMPLES)

"""How often, and how long, a coordinator ran."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ExecutionStats:
    """Counts of one coordinator's executions in this process."""

    _milliseconds: float = 0.0
    _strategies: Counter[str] = field(default_factory=Counter)
    _statuses: Counter[str] = field(default_factory=Counter)

    def record(self, strategy: str, status: str, seconds: float) -> None:
        """Count one execution."""
        self._milliseconds += seconds * 1000
        self._strategies[strategy] += 1
        self._statuses[status] += 1

    def summary(self) -> dict[str, Any]:
        """Return `total_executions`, `avg_time_ms`, `strategies_used` and `statuses`."""
        total = self._statuses.total()
        return {
            "total_executions": total,
            "avg_time_ms": round(self._milliseconds / total, 3) if total else 0.0,
            "strategies_used": dict(self._strategies),
            "statuses": dict(self._statuses),
        }

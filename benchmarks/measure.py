"""Side-by-side measurement: contenders run interleaved, and their times become ratios.

Times differ from machine to machine and from minute to minute, ratios much less: so every
benchmark compares things that run in turns (A B B A ...) in one process, and judges only
the ratio. The spread beside it is the least and the greatest ratio of any one round.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

Contender = Callable[[], Awaitable[object]]
"""Does the work once; what it takes is one sample."""

TABLE_WIDTH: Final = 120
"""Where the output is no terminal, which would say how wide it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often everything runs."""

    rounds: int
    runs: int
    """Of each contender in each round."""
    warm_up: int = 2
    """Runs of each contender before the first round, which don't count."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one contender's runs took, in seconds, by round."""

    rounds: Sequence[Sequence[float]]

    @classmethod
    def constant(cls, seconds: float, like: Times) -> Times:
        """A reference that always takes the same, in as many rounds as `like`."""
        return cls([[seconds] for _ in like.rounds])

    @property
    def median(self) -> float:
        """The median over all runs."""
        return statistics.median(self._all())

    @property
    def p95(self) -> float:
        """What 95 % of the runs did not exceed."""
        ordered = sorted(self._all())
        return ordered[math.ceil(0.95 * len(ordered)) - 1]

    def round_medians(self) -> list[float]:
        """The median of each round."""
        return [statistics.median(each) for each in self.rounds]

    def as_json(self) -> JsonObject:
        """Return the figures in milliseconds."""
        return {
            "median_ms": _milliseconds(self.median),
            "p95_ms": _milliseconds(self.p95),
            "runs": len(self._all()),
        }

    def _all(self) -> list[float]:
        return [seconds for each in self.rounds for seconds in each]


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio should be: `at most` for time, `at least` for throughput."""

    limit: float
    kind: Literal["at most", "at least"] = "at most"

    def is_met(self, ratio: float) -> bool:
        """Whether a ratio is on the right side of the limit."""
        return ratio <= self.limit if self.kind == "at most" else ratio >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.kind == 'at most' else '≥'} {self.limit:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row: a subject against a reference.

    The ratio is the subject's median time over the reference's; where `per_second` is set,
    it is that of how much they do in a second, which is the inverse.
    """

    name: str
    subject: Times
    reference: Times
    target: Target | None = None
    """None for a row that stands there only for contrast."""
    per_second: bool = False

    @property
    def ratio(self) -> float:
        """The ratio of the medians."""
        return self._ratio(self.subject.median, self.reference.median)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest ratio of one round's medians."""
        pairs = zip(self.subject.round_medians(), self.reference.round_medians(), strict=True)
        ratios = [self._ratio(subject, reference) for subject, reference in pairs]
        return min(ratios), max(ratios)

    @property
    def verdict(self) -> Literal["met", "missed", "no target"]:
        """What the ratio says about the target."""
        if self.target is None:
            return "no target"
        return "met" if self.target.is_met(self.ratio) else "missed"

    def as_json(self) -> JsonObject:
        """Return the row as JSON."""
        least, greatest = self.spread
        return {
            "name": self.name,
            "subject": self.subject.as_json(),
            "reference": self.reference.as_json(),
            "ratio": round(self.ratio, 3),
            "ratio_least": round(least, 3),
            "ratio_greatest": round(greatest, 3),
            "target": None if self.target is None else str(self.target),
            "verdict": self.verdict,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        least, greatest = self.spread
        return (
            self.name,
            f"{_milliseconds(self.subject.median)} / {_milliseconds(self.subject.p95)}",
            f"{_milliseconds(self.reference.median)} / {_milliseconds(self.reference.p95)}",
            f"{self.ratio:.2f}",
            f"{least:.2f}..{greatest:.2f}",
            "" if self.target is None else str(self.target),
            self.verdict if self.target is not None else "",
        )

    def _ratio(self, subject: float, reference: float) -> float:
        return reference / subject if self.per_second else subject / reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeComparison:
    """One row: how many bytes a subject takes, against those of a reference."""

    name: str
    subject: int
    reference: int
    target: Target | None = None
    """None for a row that stands there only for contrast."""

    @property
    def ratio(self) -> float:
        """How many times the reference it takes."""
        return self.subject / self.reference

    @property
    def verdict(self) -> Literal["met", "missed", "no target"]:
        """What the ratio says about the target."""
        if self.target is None:
            return "no target"
        return "met" if self.target.is_met(self.ratio) else "missed"

    def as_json(self) -> JsonObject:
        """Return the row as JSON."""
        return {
            "name": self.name,
            "subject_bytes": self.subject,
            "reference_bytes": self.reference,
            "ratio": round(self.ratio, 3),
            "target": None if self.target is None else str(self.target),
            "verdict": self.verdict,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return (
            self.name,
            f"{self.subject / 1e6:,.2f} MB",
            f"{self.reference / 1e6:,.2f} MB",
            f"{self.ratio:.2f}",
            "",
            "" if self.target is None else str(self.target),
            self.verdict if self.target is not None else "",
        )


class Row(Protocol):
    """What a report lists."""

    def as_json(self) -> JsonObject:
        """Return the row as JSON."""
        ...

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a benchmark found."""

    title: str
    comparisons: Sequence[Row]
    notes: Sequence[str] = field(default=())

    def as_json(self) -> JsonObject:
        """Return everything as JSON, with what it was measured on."""
        return {
            "title": self.title,
            "rows": [each.as_json() for each in self.comparisons],
            "notes": list(self.notes),
            "measured_on": _measured_on(),
        }

    def as_table(self) -> Table:
        """Return everything as a table."""
        versions = ", ".join(f"{name} {value}" for name, value in _measured_on().items())
        caption = "\n".join([*self.notes, f"times are median / p95; {versions}"])
        table = Table(title=self.title, caption=caption, box=box.SIMPLE)
        table.add_column("comparison")
        for heading in ("subject, ms", "reference, ms", "ratio", "of one round", "target"):
            table.add_column(heading, justify="right")
        table.add_column("verdict")
        for each in self.comparisons:
            table.add_row(*each.cells())
        return table


async def interleave(contenders: Mapping[str, Contender], effort: Effort) -> dict[str, Times]:
    """Run contenders in turns, and time every run.

    Each turn is the last one's reverse, so that none always runs in another's wake. Garbage
    is collected before each round; the collector stays on, as what it costs is part of it.
    """
    order = list(contenders.items())
    for _ in range(effort.warm_up):
        for _, contender in order:
            await contender()
    rounds: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for _ in range(effort.rounds):
        gc.collect()
        for samples in rounds.values():
            samples.append([])
        for _ in range(effort.runs):
            for name, contender in order:
                rounds[name][-1].append(await _timed(contender))
            order.reverse()
    return {name: Times(samples) for name, samples in rounds.items()}


async def _timed(contender: Contender) -> float:
    begun = time.perf_counter()
    await contender()
    return time.perf_counter() - begun


def main(benchmark: Callable[[bool], Awaitable[Report]], description: str | None) -> None:
    """Run a benchmark as a script.

    Args:
        benchmark: Gets whether to be quick, for a look or a test, at the price of noise.
        description: What `--help` says.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--quick", action="store_true", help="few runs; for a look, not a verdict")
    arguments = parser.parse_args()

    async def measure() -> Report:
        return await benchmark(arguments.quick)

    report = asyncio.run(measure())
    if arguments.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=TABLE_WIDTH)
        console.print(report.as_table())


def _milliseconds(seconds: float) -> float:
    """Four digits that count, so that what takes microseconds is not told as nothing."""
    return float(f"{seconds * 1000:.4g}")


def _measured_on() -> JsonObject:
    return {
        "python": platform.python_version(),
        "langgraph": version("langgraph"),
        "machine": platform.machine(),
    }

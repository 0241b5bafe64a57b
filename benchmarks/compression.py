"""Compression: what is left of what the next tool call needs, and how long it takes.

Each history that ends right before a tool call is cut, after the system message, to a half and
to a quarter of its tokens. Of the call's argument values that stood in it, the share that still
does is printed; beside it the same for keeping just the last messages. The transcripts are
generated. The ranking's constants were chosen on the first set; docs/compression.md says what was
looked at of the others, and how much was left of them at first sight.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.compression_engineering import coding, terminal
from benchmarks.compression_held_out import abroad, blocks, customers, research, staff, team
from benchmarks.compression_judge import Tally, judge, keep_the_last, ours
from benchmarks.compression_service import airline, bank, retail
from benchmarks.compression_talk import Message, Script
from benchmarks.compression_unseen import analyst, browser, clinic, cluster, hotel, patching
from benchmarks.measure import TABLE_WIDTH
from nodes.compression import approximate_tokens, compress

TUNED: Final[tuple[Script, ...]] = (airline, retail, bank, coding, terminal)
HELD_OUT: Final[tuple[Script, ...]] = (customers, staff, research, team, blocks, abroad)
UNSEEN: Final[tuple[Script, ...]] = (
    hotel,
    analyst,
    browser,
    clinic,
    cluster,
    patching,
)
SETS: Final = {"tuned": TUNED, "held out": HELD_OUT, "written last": UNSEEN}
TARGETS: Final = {0.5: 0.95, 0.25: 0.85}
"""For each share of the tokens, the share of the values that has to be left."""
FIRST_SEED: Final = 1000
HISTORY_TOKENS: Final = 20_000
LIMIT_SECONDS: Final = 0.050


class Row(NamedTuple):
    """One domain, or several, at one share."""

    name: str
    share: float
    ours: Tally
    last: Tally

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return {
            "name": self.name,
            "share": self.share,
            "values": self.ours.wanted,
            "retention": round(self.ours.retention, 4),
            "keep_the_last": round(self.last.retention, 4),
            "tokens_left": round(self.ours.ratio, 4),
            "target": TARGETS[self.share],
        }


def retention(scripts: Sequence[Script], title: str, seeds: range) -> Iterator[Row]:
    """Yield a row for each domain and share, then those of all domains together."""
    for share in TARGETS:
        total = Row(title, share, Tally(), Tally())
        for script in scripts:
            row = Row(
                script.__name__,
                share,
                judge(script, ours, share=share, seeds=seeds),
                judge(script, keep_the_last, share=share, seeds=seeds),
            )
            total = total._replace(ours=total.ours + row.ours, last=total.last + row.last)
            yield row
        yield total


def long_history(scripts: Sequence[Script]) -> list[Message]:
    """Return transcripts one after the other, of 20,000 tokens."""
    chance = random.Random(1)
    messages: list[Message] = []
    while approximate_tokens(messages) < HISTORY_TOKENS:
        messages += chance.choice(scripts)(chance)[1 if messages else 0 :]
    while approximate_tokens(messages) > HISTORY_TOKENS:
        messages.pop()
    return messages


def seconds(scripts: Sequence[Script], runs: int) -> float:
    """Return the median time that it takes to cut 20,000 tokens to a half."""
    messages = long_history(scripts)
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        compress(messages, max_tokens=HISTORY_TOKENS // 2)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def table_of(rows: Sequence[Row], times: dict[str, float]) -> Table:
    """Return everything as a table."""
    limit = f"≤ {LIMIT_SECONDS * 1000:.0f} ms"
    told = ", ".join(f"{name} {taken * 1000:.1f} ms" for name, taken in times.items())
    table = Table(
        title="compression: argument values of the next call that are left",
        caption=f"20,000 tokens to a half, p50 ({limit}): {told}",
        box=box.SIMPLE,
    )
    for heading in ("transcripts", "cut to", "values", "left", "keep the last", "tokens", "target"):
        table.add_column(heading, justify="left" if heading == "transcripts" else "right")
    for row in rows:
        is_total = row.name in SETS
        table.add_row(
            row.name,
            f"{row.share:.0%}",
            str(row.ours.wanted),
            f"{row.ours.retention:.1%}",
            f"{row.last.retention:.1%}",
            f"{row.ours.ratio:.1%}",
            f"≥ {TARGETS[row.share]:.0%}" if is_total else "",
            end_section=is_total,
        )
    return table


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--quick", action="store_true", help="few transcripts; for a look")
    arguments = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + (3 if arguments.quick else 40))
    runs = 3 if arguments.quick else 31
    rows = [row for title, scripts in SETS.items() for row in retention(scripts, title, seeds)]
    times = {
        "service": seconds((airline, retail, bank), runs),
        "shell and code": seconds((coding, terminal), runs),
        "all": seconds((*TUNED, *HELD_OUT, *UNSEEN), runs),
    }
    if arguments.json:
        found = {
            "title": "compression",
            "rows": [row.as_json() for row in rows],
            "p50_ms": {name: round(taken * 1000, 2) for name, taken in times.items()},
        }
        print(json.dumps(found, indent=2))
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=TABLE_WIDTH)
        console.print(table_of(rows, times))


if __name__ == "__main__":
    main()

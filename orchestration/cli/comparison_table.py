"""What `orchestration agents compare` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.cli.tables import table
from orchestration.cli.terminal import styled
from orchestration.cli.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from orchestration.routing.comparison import Comparison, Difference
    from orchestration.routing.estimates import Estimate


def comparison(out: Console, report: Comparison) -> None:
    """Print a report on the versions of an agent, or that there is nothing to report."""
    if not report.versions:
        out.print(styled("No finished task of this agent is recorded; nothing to compare.", "dim"))
        return
    out.print(figures(report))
    for each in report.differences:
        out.print(verdict(each), soft_wrap=True)
    if not report.differences:
        out.print(styled("There is only one version; nothing to compare it with.", "dim"))
    out.print(styled(_reading(report), "dim"), soft_wrap=True)


def figures(report: Comparison) -> Table:
    """Say what is known of each version."""
    rows = [
        (
            styled(each.version, "bold"),
            styled(str(each.tasks)),
            _cell(each.success, _percent),
            _cell(each.latency, duration),
            _cell(each.median_latency, duration),
            _cell(each.p95_latency, duration),
            _cell(each.cost, _amount),
        )
        for each in report.versions
    ]
    columns = ("Version", "Tasks", "Success", "Mean time", "Median", "p95", "Cost of a task")
    return table(*columns, rows=rows)


def verdict(difference: Difference) -> Text:
    """Say how a version differs, in green or red where that is shown."""
    if difference.better is None:
        return styled(difference.verdict)
    return styled(difference.verdict, "green" if difference.better == difference.version else "red")


def _reading(report: Comparison) -> str:
    sure = f"{100 * report.confidence:g} %"
    return (
        f"In brackets: between what it is, with {sure} confidence; for all the differences "
        "together. Times are of tasks that succeeded; ? takes more tasks."
    )


def _cell(estimate: Estimate, words: Callable[[float], str]) -> Text:
    value, low, high = ("?" if each is None else words(each) for each in estimate)
    if estimate.value is None:
        return styled("-", "dim")
    return styled(value) + styled(f"\n[{low}, {high}]", "dim")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _amount(cost: float) -> str:
    return f"{cost:.4g}"

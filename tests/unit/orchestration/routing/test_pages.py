"""The examples and figures on the pages about routing, costs and discovery are as they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestration import BreakerPolicy, OutlierPolicy, ProbePolicy, Resilience
from orchestration.routing.comparison import LEAST
from orchestration.routing.health import MOST_AT_ONCE

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize(
    ("page", "examples"), [("costs.md", 3), ("discovery.md", 1), ("routing.md", 1)]
)
def test_every_example_runs(page: str, examples: int) -> None:
    blocks = re.findall(
        r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL
    )
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102  our own page
    assert len(blocks) >= examples


def test_the_least_number_of_tasks_is_the_one_that_is_told() -> None:
    page = (DOCS / "costs.md").read_text(encoding="utf-8")

    assert f"fewer than {LEAST}\n  tasks of each" in page


def test_the_defaults_of_resilience_are_those_that_are_told() -> None:
    page = (DOCS / "routing.md").read_text(encoding="utf-8")
    breaker, outliers, probe = BreakerPolicy(), OutlierPolicy(), ProbePolicy()
    share = "half" if breaker.failure_rate == 0.5 else "?"
    told = [
        f"{breaker.failures} failures in a row, or {share} of the last {breaker.window} calls",
        f"{breaker.open_for.total_seconds():g} s, then one call at a time as a probe",
        f"up to\n{breaker.longest_open.total_seconds() / 60:g} minutes",
        f"success rate is {outliers.success_gap * 100:g} points below the others' median",
        f"its calls take {outliers.latency_factor:g} times as long",
        f"| {outliers.ejected_for.total_seconds():g} s, longer each time",
        "at most half of a pool" if outliers.most_ejected == 0.5 else "?",
        f"{probe.failures} probes in a row failed",
        f"at most {MOST_AT_ONCE} at once",
        f"failovers={Resilience().failovers}",
    ]
    flat = " ".join(page.split())
    assert [each for each in told if " ".join(each.split()) not in flat] == []

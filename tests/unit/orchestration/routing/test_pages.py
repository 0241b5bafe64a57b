"""The examples on the pages about costs and discovery are what they say they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestration.routing.comparison import LEAST

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize(("page", "examples"), [("costs.md", 3), ("discovery.md", 1)])
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

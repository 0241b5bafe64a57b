"""The examples on the pages about batches, prefetch and many requests do what they say."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["batching-and-prefetch.md", "execute-many.md"])
async def test_every_example_of_the_page_runs(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        ran = eval(compile(block, page, "exec", flags, dont_inherit=True), names)  # noqa: S307  our own page
        if inspect.isawaitable(ran):
            await ran
    assert blocks

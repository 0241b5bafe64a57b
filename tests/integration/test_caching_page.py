"""The examples on the page about caching do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.unit.nodes.caching.test_paraphrase import (
    LOOK_ALIKES,
    PARAPHRASES,
    REFUSED_PARAPHRASES,
)

PAGE = (Path(__file__).parents[2] / "docs" / "caching.md").read_text(encoding="utf-8")


def test_the_examples_run_one_after_another() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "caching.md", "exec", dont_inherit=True), names)  # noqa: S102  our own


def test_the_page_counts_the_pairs_that_the_tests_have() -> None:
    words = " ".join(PAGE.split())
    pairs = len(PARAPHRASES) + len(REFUSED_PARAPHRASES)
    assert f"Of our {len(LOOK_ALIKES)} pairs that look alike, none" in words
    assert f"of {pairs} true paraphrases 13 are found" in words

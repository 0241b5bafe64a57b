"""The retrieval benchmark runs, judges fairly, and finds what it is there to find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.retrieval_corpus import passages, questions

ROOT = Path(__file__).resolve().parents[3]


def test_every_question_has_its_answers_in_some_passages_and_no_page_answers_much() -> None:
    texts = [each.text for each in passages()]
    for question in questions():
        for answer in question.answers:
            assert 1 <= sum(answer in text for text in texts) <= 4


def test_more_is_found_through_the_optimizer_than_without() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/retrieval.py", "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    for name in ("hashed words", "WordLlama", "BM25"):
        assert rows[f"{name}: recall"]["ratio"] >= 1
        assert rows[f"{name}: nDCG"]["ratio"] >= 1
    assert rows["hashed words: recall"]["ratio"] > 1.2
    assert rows["time, new"]["ratio"] > 0

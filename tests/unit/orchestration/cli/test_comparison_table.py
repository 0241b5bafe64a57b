"""What the comparison of versions looks like."""

from __future__ import annotations

import io

from rich.console import Console

from checkpoints.traffic import Sample
from orchestration.cli.comparison_table import comparison, verdict
from orchestration.routing.comparison import compare


def printed(samples: list[Sample], *, width: int = 120) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    comparison(out, compare(samples))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def tasks(version: str, count: int, *, failed: int = 0) -> list[Sample]:
    return [Sample(version, number >= failed, 0.25, 0.004) for number in range(count)]


def test_each_version_has_a_row_and_each_difference_a_line() -> None:
    text = printed([*tasks("1", 200, failed=60), *tasks("2", 100)])

    assert "70.0 %" in text
    assert "[63.3 %, 75.9 %]" in text
    assert "250 ms" in text
    assert "0.004" in text
    assert "2 is better than 1 in success: +30.0 points [" in text
    assert "2 and 1: no difference in latency shown yet: +0 s [" in text
    assert "with 95 % confidence" in text


def test_what_is_not_known_yet_is_a_question_mark() -> None:
    text = printed(tasks("1", 5))

    assert "[?, ?]" in text
    assert "[250 ms, ?]" in text
    assert "There is only one version" in text


def test_no_times_are_a_dash() -> None:
    assert " - " in printed(tasks("1", 5, failed=5))


def test_nothing_is_said_to_be_nothing() -> None:
    assert "No finished task of this agent is recorded" in printed([])


def test_a_version_cannot_paint_the_terminal() -> None:
    text = printed([*tasks("1\x1b[31m", 20), *tasks("[bold]2[/]", 12)])

    assert "\x1b" not in text
    assert "[bold]2[/]" in text


def test_better_is_green_and_worse_red() -> None:
    good = compare([*tasks("1", 200, failed=60), *tasks("2", 100)]).differences
    bad = compare([*tasks("1", 200), *tasks("2", 100, failed=60)]).differences

    assert [verdict(each).style for each in (good[0], good[2], bad[0])] == ["green", "", "red"]

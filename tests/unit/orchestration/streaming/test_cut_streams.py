"""A stream that is cut at any event and read on gives the events of one that was not cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest

from orchestration import SimpleCoordinator, WorkflowEvent
from tests.faults.streamed_plans import PLANS, agents, by_task, go_on, stream

Events = list[WorkflowEvent]


async def told(coordinator: SimpleCoordinator, plan: str, *, cut: int | None = None) -> Events:
    """Everything that a plan tells, its approvals given; the reader leaves once after `cut`."""
    events: Events = []
    left = False
    reading = stream(coordinator, plan)
    while reading is not None:
        async for event in reading:
            events.append(event)
            if event.sequence == cut and not left:
                left = True
                await cast("AsyncGenerator[WorkflowEvent, None]", reading).aclose()
                break
        reading = go_on(coordinator, events[-1], events[-1].sequence)  # type: ignore[assignment]
    return events


def compared(events: Events) -> dict[str, list[Any]]:
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return by_task([event.as_json() for event in events])


@pytest.fixture(params=["memory://", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    where = tmp_path / "runs.db"
    return f"sqlite:///{where}?synchronous=NORMAL" if request.param == "sqlite" else request.param


@pytest.mark.parametrize("plan", PLANS)
async def test_a_stream_cut_at_any_event_goes_on_as_if_it_was_not(
    plan: str, url: str, tmp_path: Path
) -> None:
    async with SimpleCoordinator(registry=agents(), database_url="memory://") as coordinator:
        whole = compared(whole_events := await told(coordinator, plan))
    for cut in range(1, len(whole_events)):
        there = url.replace("runs.db", f"runs-{cut}.db")
        async with SimpleCoordinator(registry=agents(), database_url=there) as coordinator:
            assert compared(await told(coordinator, plan, cut=cut)) == whole, cut

"""The waiting nodes, in small graphs of the test's own and with a clock that does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphDrained
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from nodes.agent_call import NEXT_NODES
from nodes.brake import Brake
from nodes.run_handle import RunHandle, open_handle, stop_signal
from nodes.waiting import SHORT_WAIT_SECONDS, wait_for_signal, wait_for_time
from orchestration import AgentRegistry
from state.cancellation import Cancellation
from state.run_state import RunState
from tests.unit.nodes.conftest import FakeClock

if TYPE_CHECKING:
    from state.outcome import Outcome
    from state.plan_document import PlanDocument
    from state.waiting import WaitDocument

BEGUN = 1_000.0
LONG = SHORT_WAIT_SECONDS + 1
CALLED_OFF = Cancellation("Ann", "no more", BEGUN)


def document(wait: WaitDocument, **differences: object) -> PlanDocument:
    task: Any = {
        "id": "pause",
        "agent": None,
        "capability": None,
        "input": {},
        "needs": [],
        "upstream": [],
        "condition": None,
        "approval": None,
        "timeout_seconds": None,
        "retry": None,
        "wait": wait,
        **differences,
    }
    return {
        "schema": 2,
        "run_id": "run",
        "strategy": "parallel",
        "order": ["pause", "other"],
        "tasks": {"pause": task},
        "layout": {"kind": "task", "tasks": ["pause"]},
        "waits": {},
        "on_failure": {"kind": "fail_fast", "needed": 0},
        "aggregate": None,
        "router": None,
        "router_input": None,
        "tenant": None,
        "user": None,
    }


@dataclass
class Stand:
    """One wait in a graph, which is run on by hand."""

    wait: WaitDocument
    differences: dict[str, object] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=lambda: FakeClock(BEGUN))
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        node = wait_for_signal if self.wait["kind"] == "signal" else wait_for_time
        graph = StateGraph(RunState)
        graph.add_node("pause", node, metadata={NEXT_NODES: [END]}, destinations=("pause", END))
        graph.add_edge(START, "pause")
        self.graph = graph.compile(checkpointer=InMemorySaver())
        self.plan = document(self.wait, **self.differences)
        self.handle = RunHandle(
            agents=AgentRegistry(),
            clock=self.clock,
            brake=Brake(),
            observe=lambda _, outcome: self.told.append(outcome["status"]),
        )

    async def begin(self, **outcomes: Outcome) -> Any:  # noqa: ANN401
        return await self._go({"plan": self.plan, "outcomes": outcomes})

    async def answer(self, answer: object) -> Outcome:
        return (await self._go(Command(resume=answer)))["outcomes"]["pause"]  # type: ignore[no-any-return]

    async def go_on(self) -> Any:  # noqa: ANN401
        return await self._go(None)

    async def _go(self, given: Any) -> Any:  # noqa: ANN401
        config: Any = {"configurable": {"thread_id": "t"}}
        assert self.handle.brake is not None
        with open_handle("run", self.handle):
            return await self.graph.ainvoke(
                given, config, durability="sync", control=self.handle.brake.control
            )

    def stop(self) -> None:
        """Let a sibling fail, which ends the run."""
        failed: Outcome = {"status": "failed", "attempts": 1}
        self.handle.stop = stop_signal(self.plan, {"other": failed})


def timer(seconds: float) -> Stand:
    return Stand({"kind": "timer", "seconds": seconds})


def signal(timeout: float | None = None, **differences: object) -> Stand:
    wait: WaitDocument = {"kind": "signal", "signal": "paid", "timeout_seconds": timeout}
    return Stand(wait, differences)


def asked(state: Any) -> Any:  # noqa: ANN401
    (interrupt,) = state["__interrupt__"]
    return interrupt.value


# -- times ------------------------------------------------------------------------------


async def test_a_short_wait_is_slept_through() -> None:
    stand = timer(SHORT_WAIT_SECONDS)
    state = await stand.begin()
    assert stand.clock.slept == [SHORT_WAIT_SECONDS]
    assert state["outcomes"]["pause"] == {
        "status": "succeeded",
        "attempts": 0,
        "output": {"waited_seconds": SHORT_WAIT_SECONDS, "due_at": BEGUN + SHORT_WAIT_SECONDS},
        "started_at": BEGUN,
        "finished_at": BEGUN + SHORT_WAIT_SECONDS,
    }
    assert stand.told == ["pending", "succeeded"]


async def test_a_long_wait_pauses_the_run() -> None:
    stand = timer(LONG)
    state = await stand.begin()
    assert asked(state) == {"wait": "timer", "task_id": "pause", "due_at": BEGUN + LONG}
    assert state["outcomes"]["pause"] == {
        "status": "pending", "attempts": 0, "started_at": BEGUN, "next_due_at": BEGUN + LONG,
    }  # fmt: skip
    stand.clock.time += LONG + 5
    outcome = await stand.answer({"fired_at": BEGUN + LONG + 2})
    assert outcome["output"] == {"waited_seconds": LONG + 2, "due_at": BEGUN + LONG}
    assert outcome["finished_at"] == BEGUN + LONG + 5
    assert stand.clock.slept == []


async def test_the_time_is_not_counted_anew_however_often_the_node_runs() -> None:
    stand = timer(LONG)
    first = asked(await stand.begin())
    for _ in range(3):
        stand.clock.time += LONG / 4  # now less than a short wait is left
        assert asked(await stand.go_on()) == first
    assert stand.told == ["pending"]


async def test_until_a_moment_is_until_that_moment() -> None:
    stand = Stand({"kind": "until", "at": BEGUN + LONG})
    assert asked(await stand.begin())["due_at"] == BEGUN + LONG
    over = Stand({"kind": "until", "at": BEGUN - 5})
    state = await over.begin()
    assert state["outcomes"]["pause"]["output"] == {"waited_seconds": 0.0, "due_at": BEGUN - 5}


# -- signals ----------------------------------------------------------------------------


async def test_a_signal_becomes_the_output() -> None:
    stand = signal()
    assert asked(await stand.begin()) == {
        "wait": "signal", "task_id": "pause", "signal": "paid", "deadline_at": None,
    }  # fmt: skip
    stand.clock.time += 5
    outcome = await stand.answer(
        {"signal": "paid", "payload": [1], "sent_by": "bank", "sent_at": BEGUN + 4}
    )
    assert outcome == {
        "status": "succeeded",
        "attempts": 0,
        "output": {"signal": "paid", "payload": [1], "sent_by": "bank"},
        "started_at": BEGUN,
        "finished_at": BEGUN + 5,
    }


async def test_the_deadline_of_a_signal_is_counted_once() -> None:
    stand = signal(timeout=5.0)
    assert asked(await stand.begin())["deadline_at"] == BEGUN + 5
    stand.clock.time += 3
    assert asked(await stand.go_on())["deadline_at"] == BEGUN + 5
    outcome = await stand.answer({"timed_out": True})
    assert outcome["status"] == "timed_out"
    assert outcome["error"]["code"] == "signal_timed_out"
    assert outcome["error"]["message"] == "no signal 'paid' came in time"


@pytest.mark.parametrize(
    "answer", ["paid", 5, {"signal": "sent", "payload": 5}, {"signal": "paid"}]
)
async def test_what_is_no_such_signal_fails_the_task(answer: object) -> None:
    stand = signal()
    await stand.begin()
    outcome = await stand.answer(answer)
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "bad_signal")


# -- what ends a wait, or keeps it from beginning ---------------------------------------


@pytest.mark.parametrize("make", [lambda: timer(LONG), signal], ids=["timer", "signal"])
async def test_a_cancelled_run_ends_a_wait(make: Callable[[], Stand]) -> None:
    stand = make()
    await stand.begin()
    stand.handle.brake = Brake(CALLED_OFF)
    state = await stand.go_on()
    assert "__interrupt__" not in state
    assert state["outcomes"]["pause"]["status"] == "cancelled"
    assert state["outcomes"]["pause"]["reason"] == "Ann cancelled the run: no more"


@pytest.mark.parametrize("make", [lambda: timer(LONG), signal], ids=["timer", "signal"])
async def test_a_run_that_has_its_end_ends_a_wait(make: Callable[[], Stand]) -> None:
    stand = make()
    await stand.begin()
    stand.stop()
    state = await stand.go_on()
    assert "__interrupt__" not in state
    assert state["outcomes"]["pause"]["status"] == "cancelled"
    assert "'other'" in state["outcomes"]["pause"]["reason"]


def interrupted(act: Callable[[Stand], object]) -> Stand:
    """A short wait in whose sleep something happens."""
    stand = timer(5)

    async def sleep(seconds: float) -> None:
        stand.clock.slept.append(seconds)
        act(stand)
        await never()

    stand.clock.sleep = sleep  # type: ignore[method-assign]  # a clock that stands still
    return stand


async def never() -> None:
    await asyncio.Event().wait()


def cancel(stand: Stand) -> None:
    assert stand.handle.brake is not None
    stand.handle.brake.cancel(CALLED_OFF)


def drain(stand: Stand) -> None:
    assert stand.handle.brake is not None
    stand.handle.brake.drain()


def fail_beside(stand: Stand) -> None:
    assert stand.handle.stop is not None
    stand.handle.stop.record("other", {"status": "failed", "attempts": 1})


async def test_a_short_wait_ends_when_the_run_is_cancelled() -> None:
    stand = interrupted(cancel)
    state = await stand.begin()
    assert state["outcomes"]["pause"]["status"] == "cancelled"


async def test_a_short_wait_ends_when_a_sibling_ends_the_run() -> None:
    stand = interrupted(fail_beside)
    stand.handle.stop = stop_signal(stand.plan, {})
    state = await stand.begin()
    assert state["outcomes"]["pause"]["status"] == "cancelled"


async def test_a_short_wait_that_is_drained_goes_on_later_with_the_same_time() -> None:
    stand = interrupted(drain)
    with pytest.raises(GraphDrained):
        await stand.begin()
    stand.clock = FakeClock(BEGUN + 3)
    stand.handle.clock, stand.handle.brake = stand.clock, Brake()
    state = await stand.go_on()
    assert stand.clock.slept == [2.0]
    assert state["outcomes"]["pause"]["output"] == {"waited_seconds": 5.0, "due_at": BEGUN + 5}


async def test_what_is_not_to_run_does_not_wait() -> None:
    needs = signal(needs=["other"])
    failed: Outcome = {"status": "failed", "attempts": 1}
    state = await needs.begin(other=failed)
    assert state["outcomes"]["pause"]["because"] == "upstream"
    unwanted = signal(condition={"kind": "cel", "expression": "false"})
    state = await unwanted.begin()
    assert state["outcomes"]["pause"]["because"] == "condition"
    stopped = signal()
    stopped.stop()
    state = await stopped.begin()
    assert state["outcomes"]["pause"]["because"] == "stopped"
    called_off = signal()
    called_off.handle.brake = Brake(CALLED_OFF)
    state = await called_off.begin()
    assert state["outcomes"]["pause"]["because"] == "cancelled"


async def test_a_wait_that_is_over_is_not_begun_again() -> None:
    done: Outcome = {"status": "succeeded", "attempts": 0, "output": {"signal": "paid"}}
    for stand in (timer(LONG), signal()):
        state = await stand.begin(pause=done)
        assert (state["outcomes"]["pause"], stand.told) == (done, [])

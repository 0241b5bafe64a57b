"""Waits as people meet them: a run waits for a time or a signal, and goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from checkpoints.approvals import APPLIED, CLOCK, DEADLINE, LAPSED, STATUSES, Filter
from orchestration import (
    AgentTask,
    DecisionError,
    SignalError,
    TaskStatus,
    ThreadFinishedError,
    ThreadNotFoundError,
    UnknownSignalError,
    WorkflowStatus,
)
from tests.unit.orchestration.conftest import NOON
from tests.unit.orchestration.waits import DAY, run, signal, timer, until

if TYPE_CHECKING:
    from checkpoints.approvals import ApprovalRequest
    from orchestration import WorkflowResult
    from state.waiting import WaitDocument
    from tests.unit.orchestration.conftest import Office

COMPLETED, INTERRUPTED = WorkflowStatus.COMPLETED, WorkflowStatus.INTERRUPTED
PAYMENT = [
    AgentTask("tickets", {"count": 2}),
    AgentTask("mail", task_id="pause"),
    AgentTask("finance"),
]


async def pause(office: Office, wait: WaitDocument, **wishes: Any) -> WorkflowResult:  # noqa: ANN401
    """Run until the task `pause` waits."""
    paused = await run(office.coordinator, PAYMENT, {"pause": wait}, **wishes)
    assert (paused.status, office.called()) == (INTERRUPTED, ["tickets"])
    return paused


async def waiting(office: Office) -> ApprovalRequest:
    (request,) = await office.inbox.list_pending(waits=True)
    return request


async def of_thread(office: Office, thread_id: str = "t") -> list[ApprovalRequest]:
    ledger = await office.coordinator.ledger()
    return await ledger.find(Filter(STATUSES, thread_id=thread_id))


# -- timers -----------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [timer(3 * DAY), until(NOON + 3 * DAY)], ids=["timer", "until"])
async def test_a_run_waits_for_days_and_a_sweep_lets_it_go_on(
    office: Office, wait: WaitDocument
) -> None:
    paused = await pause(office, wait)
    assert paused.interrupts[0].value == {
        "wait": "timer", "task_id": "pause", "due_at": NOON + 3 * DAY,
    }  # fmt: skip
    request = await waiting(office)
    assert (request.kind, request.task_id, request.deadline_at) == (
        "timer",
        "pause",
        NOON + 3 * DAY,
    )
    office.wall.now += 3 * DAY - 1
    assert (await office.inbox.sweep()).resumed == []
    assert (await office.coordinator.resume("t")).status == INTERRUPTED
    office.wall.now += 61
    swept = await office.inbox.sweep()
    assert [event for event, _ in swept.due] == ["fired"]
    (result,) = swept.resumed
    assert (result.status, office.called()) == (COMPLETED, ["tickets", "finance"])
    assert result["pause"].output == {"waited_seconds": 3 * DAY + 60, "due_at": NOON + 3 * DAY}
    (done,) = await of_thread(office)
    assert (done.status, done.decided_by) == (APPLIED, CLOCK)
    assert await office.events(done) == ["requested", "fired", "applied"]


async def test_a_resume_lets_a_due_timer_go_on_too(office: Office) -> None:
    await pause(office, timer(DAY))
    office.wall.now += DAY
    assert (await office.coordinator.resume("t")).status == COMPLETED


async def test_a_timer_is_no_matter_for_people(office: Office) -> None:
    paused = await pause(office, timer(DAY))
    assert await office.inbox.list_pending() == []
    assert office.mailbox.told == []
    request = await waiting(office)
    for refused in (
        office.inbox.decide(request.request_id, "approve", by="Ann"),
        office.coordinator.resume("t", {"pause": "approve"}),
        office.coordinator.resume("t", {paused.interrupts[0].interrupt_id: "approve"}),
    ):
        with pytest.raises(DecisionError, match="'pause' waits for a time, so nobody can answer"):
            await refused
    assert await waiting(office) == request


async def test_a_short_time_is_waited_for_in_the_process(office: Office) -> None:
    result = await run(office.coordinator, PAYMENT, {"pause": timer(0.01)})
    assert (result.status, office.called()) == (COMPLETED, ["tickets", "finance"])
    assert await of_thread(office) == []


async def test_a_moment_that_is_over_is_not_waited_for(office: Office) -> None:
    result = await run(office.coordinator, PAYMENT, {"pause": until(NOON - DAY)})
    assert result["pause"].output == {"waited_seconds": 0.0, "due_at": NOON - DAY}


@pytest.mark.parametrize("wait", [timer(DAY), signal("paid")], ids=["timer", "signal"])
async def test_a_cancelled_run_ends_its_wait(office: Office, wait: WaitDocument) -> None:
    await pause(office, wait)
    result = await office.coordinator.cancel("t", by="Ann", reason="no more")
    assert result is not None
    assert result.status == WorkflowStatus.CANCELLED
    assert result["pause"].status == TaskStatus.CANCELLED
    assert result["pause"].reason == "Ann cancelled the run: no more"
    assert [each.status for each in await of_thread(office)] == [LAPSED]
    office.wall.now += 2 * DAY
    assert (await office.inbox.sweep()).due == []


async def test_timers_beside_each_other_fire_each_at_its_time(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="long"), AgentTask("mail", task_id="longer")]
    after = AgentTask("finance", depends_on=["long"])
    waits = {"long": timer(DAY), "longer": timer(2 * DAY)}
    paused = await run(office.coordinator, [*tasks, after], waits, strategy="parallel")
    assert (paused.status, len(paused.interrupts)) == (INTERRUPTED, 2)
    office.wall.now += DAY
    (first,) = (await office.inbox.sweep()).resumed
    assert (first.status, office.called()) == (INTERRUPTED, ["finance"])
    office.wall.now += DAY
    (second,) = (await office.inbox.sweep()).resumed
    assert second.status == COMPLETED
    events = [await office.events(each) for each in await of_thread(office)]
    assert events == [["requested", "fired", "applied"]] * 2


async def test_a_failure_beside_a_wait_ends_it_where_that_ends_the_run(office: Office) -> None:
    async def fail(_: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("no")

    office.hire("finance", fail)
    tasks = [
        AgentTask("mail", task_id="pause"),
        AgentTask("mail", task_id="ask", requires_approval=True),
        AgentTask("finance", depends_on=["ask"]),
    ]
    waits = {"pause": timer(DAY)}
    paused = await run(
        office.coordinator, tasks, waits, strategy="parallel", on_failure="fail_fast"
    )
    assert paused.status == INTERRUPTED
    result = await office.coordinator.resume("t", {"ask": "approve"})
    assert (result.status, result["pause"].status) == (WorkflowStatus.FAILED, TaskStatus.CANCELLED)
    assert {each.task_id: each.status for each in await of_thread(office)} == {
        "pause": LAPSED, "ask": APPLIED,
    }  # fmt: skip


async def test_a_sweeper_wakes_up_when_a_time_has_come(office: Office) -> None:
    paid = asyncio.Event()

    async def finance(_: dict[str, Any]) -> dict[str, Any]:
        paid.set()
        return {}

    office.hire("finance", finance)
    await pause(office, timer(DAY))
    assert await office.inbox.pause_seconds(3600) == 3600
    office.wall.now += DAY - 0.2
    assert 0.1 < await office.inbox.pause_seconds(3600) < 0.3
    async with office.inbox.sweeping(every_seconds=3600), asyncio.timeout(30):
        assert (await office.inbox.sweep()).resumed == []
        office.wall.now += 1
        await paid.wait()


# -- signals ----------------------------------------------------------------------------


async def test_a_signal_lets_the_run_go_on_with_what_it_carries(office: Office) -> None:
    paused = await pause(office, signal("paid"))
    assert paused.interrupts[0].value == {
        "wait": "signal", "task_id": "pause", "signal": "paid", "deadline_at": None,
    }  # fmt: skip
    sent = await office.coordinator.signal("t", "paid", {"amount": 5}, by="bank")
    assert sent.state == "taken"
    assert sent.result is not None
    assert (sent.result.status, office.called()) == (COMPLETED, ["tickets", "finance"])
    output = {"signal": "paid", "payload": {"amount": 5}, "sent_by": "bank"}
    assert sent.result["pause"].output == output
    (request,) = await of_thread(office)
    assert (request.status, request.decided_by) == (APPLIED, "bank")
    assert await office.events(request) == ["requested", "decided", "applied"]


async def test_a_signal_that_comes_before_the_wait_is_kept(office: Office) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def tickets(_: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await go.wait()
        return {}

    office.hire("tickets", tickets)
    running = asyncio.ensure_future(run(office.coordinator, PAYMENT, {"pause": signal("paid")}))
    await asked.wait()
    sent = await office.coordinator.signal("t", "paid", 5)
    assert (sent.state, sent.result) == ("kept", None)
    go.set()
    result = await running
    assert (result.status, result["pause"].output["payload"]) == (COMPLETED, 5)
    (kept,) = await office.inbox.signals("t")
    assert kept.taken_for == (await of_thread(office))[0].request_id


async def test_a_signal_comes_while_the_run_waits_for_something_else(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", task_id="later")]
    await run(office.coordinator, tasks, {"pause": signal("paid"), "later": signal("sent")})
    assert (await office.coordinator.signal("t", "sent", "early")).state == "kept"
    done = await office.coordinator.signal("t", "paid", "now")
    assert done.result is not None
    assert done.result.status == COMPLETED
    assert [each.output["payload"] for each in done.result] == ["now", "early"]


async def test_two_waits_of_one_name_take_one_signal_each_the_oldest_first(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", task_id="again")]
    waits = {"pause": signal("paid"), "again": signal("paid")}
    await run(office.coordinator, tasks, waits)
    first = await office.coordinator.signal("t", "paid", 1)
    assert first.result is not None
    assert first.result.status == INTERRUPTED
    second = await office.coordinator.signal("t", "paid", 2)
    assert second.result is not None
    assert [each.output["payload"] for each in second.result] == [1, 2]


async def test_two_waits_beside_each_other_take_one_signal_each(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", task_id="again")]
    waits = {"pause": signal("paid"), "again": signal("paid")}
    await run(office.coordinator, tasks, waits, strategy="parallel")
    assert len(await office.inbox.list_pending(waits=True)) == 2
    assert (await office.coordinator.signal("t", "paid", 1)).state == "taken"
    second = await office.coordinator.signal("t", "paid", 2)
    assert second.result is not None
    assert sorted(str(each.output["payload"]) for each in second.result) == ["1", "2"]


async def test_the_same_signal_sent_again_is_one(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", task_id="again")]
    waits = {"pause": signal("paid"), "again": signal("paid")}
    await run(office.coordinator, tasks, waits)
    first = await office.coordinator.signal("t", "paid", 1, signal_id="delivery 7")
    again = await office.coordinator.signal("t", "paid", 1, signal_id="delivery 7")
    assert (again.signal, again.state) == (first.signal, "taken")
    assert len(await office.inbox.signals("t")) == 1
    assert (await office.coordinator.resume("t"))["again"].status == TaskStatus.PENDING
    with pytest.raises(SignalError, match="'delivery 7' was used before, for 'paid'"):
        await office.coordinator.signal("t", "paid", 2, signal_id="delivery 7")
    await office.coordinator.signal("t", "paid", 2)
    after_the_end = await office.coordinator.signal("t", "paid", 1, signal_id="delivery 7")
    assert after_the_end.signal == first.signal


async def test_what_no_thread_can_take_is_refused(office: Office) -> None:
    with pytest.raises(ThreadNotFoundError):
        await office.coordinator.signal("t", "paid")
    await pause(office, signal("paid"))
    with pytest.raises(UnknownSignalError, match=r"'piad'; it waits for \['paid'\]"):
        await office.coordinator.signal("t", "piad")
    wrong: list[tuple[str, Any, dict[str, Any]]] = [
        ("", None, {}),
        ("paid\x00", None, {}),
        ("paid", object(), {}),
        ("paid", None, {"signal_id": "x" * 201}),
        ("paid", None, {"by": "\ud800"}),
    ]
    for name, payload, more in wrong:
        with pytest.raises(SignalError):
            await office.coordinator.signal("t", name, payload, **more)
    assert await office.inbox.signals("t") == []
    await office.coordinator.signal("t", "paid")
    with pytest.raises(ThreadFinishedError, match="neither cancelled nor signalled"):
        await office.coordinator.signal("t", "paid")


async def test_what_a_run_leaves_is_not_taken_by_the_next(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="first"), AgentTask("mail", task_id="pause")]
    waits = {"first": signal("go"), "pause": signal("paid")}
    await run(office.coordinator, tasks, waits)
    for payload in ("taken", "left"):
        assert (await office.coordinator.signal("t", "paid", payload)).state == "kept"
    done = await office.coordinator.signal("t", "go")
    assert done.result is not None
    assert done.result["pause"].output["payload"] == "taken"
    await pause(office, signal("paid"), run_id="second")
    taken = await office.coordinator.signal("t", "paid", "new")
    assert taken.result is not None
    assert taken.result["pause"].output["payload"] == "new"
    left = [each for each in await office.inbox.signals("t") if each.taken_for is None]
    assert [(each.payload, each.run_id) for each in left] == [("left", "run")]


async def test_a_signal_that_nothing_takes_stays_on_record(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", condition="false", task_id="no")]
    waits = {"pause": signal("paid"), "no": signal("never")}
    await run(office.coordinator, tasks, waits)
    assert (await office.coordinator.signal("t", "never", 1, by="bank")).state == "kept"
    done = await office.coordinator.signal("t", "paid")
    assert done.result is not None
    assert done.result.status == COMPLETED
    unused, _ = await office.inbox.signals("t")
    assert (unused.name, unused.taken_for, unused.run_id) == ("never", None, "run")
    trail = await office.inbox.history(thread_id="t")
    assert [each.event for each in trail] == [
        "requested", "signalled", "signalled", "decided", "applied",
    ]  # fmt: skip
    assert (trail[1].actor, trail[1].decision) == ("bank", "never")
    assert trail[1].detail["payload"] == 1


# -- signals and their deadlines --------------------------------------------------------


async def test_without_a_signal_the_wait_times_out(office: Office) -> None:
    await pause(office, signal("paid", timeout=DAY))
    assert (await waiting(office)).deadline_at == NOON + DAY
    office.wall.now += DAY
    swept = await office.inbox.sweep()
    assert [event for event, _ in swept.due] == ["expired"]
    (result,) = swept.resumed
    assert (result.status, result["pause"].status) == (WorkflowStatus.FAILED, TaskStatus.TIMED_OUT)
    assert result["pause"].error is not None
    assert result["pause"].error["message"] == "no signal 'paid' came in time"
    assert office.called() == ["tickets"]
    (request,) = await of_thread(office)
    assert (request.status, request.decided_by) == (APPLIED, DEADLINE)


async def test_a_signal_after_the_deadline_is_too_late_also_if_nobody_swept(office: Office) -> None:
    tasks = [AgentTask("mail", task_id="pause"), AgentTask("mail", task_id="again")]
    waits = {"pause": signal("paid", timeout=DAY), "again": signal("paid")}
    await run(office.coordinator, tasks, waits, on_failure="continue")
    office.wall.now += DAY
    sent = await office.coordinator.signal("t", "paid", "late")
    assert sent.result is not None
    assert [each.status for each in sent.result] == [TaskStatus.TIMED_OUT, TaskStatus.SUCCEEDED]
    assert sent.result["again"].output["payload"] == "late"


async def test_a_signal_before_the_deadline_counts_although_the_run_is_late(office: Office) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def mail(_: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await go.wait()
        return {}

    office.hire("mail", mail)
    tasks = [AgentTask("finance", task_id="pause"), AgentTask("mail")]
    waits = {"pause": signal("paid", timeout=DAY)}
    running = asyncio.ensure_future(run(office.coordinator, tasks, waits, strategy="parallel"))
    await asked.wait()
    await office.coordinator.signal("t", "paid", "in time")
    office.wall.now += 2 * DAY
    go.set()
    assert (await running)["pause"].output["payload"] == "in time"


# -- processes that die -----------------------------------------------------------------


@pytest.mark.parametrize("status", ["running", "interrupted"])
@pytest.mark.parametrize("kind", ["timer", "signal"])
async def test_a_sweep_enters_a_wait_that_a_dying_process_left_only_in_a_checkpoint(
    durable_office: Office, kind: str, status: str
) -> None:
    office = durable_office
    await pause(office, timer(DAY) if kind == "timer" else signal("paid", timeout=DAY))
    office.coordinator.close()
    with closing(sqlite3.connect(office.database_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DELETE FROM orchestration_approvals")
        connection.execute(
            "UPDATE orchestration_threads SET status = ?, lease_holder = 'dead', "
            "lease_expires_at = 1",
            [status],
        )
        connection.commit()
    async with office.open() as later:
        if kind == "signal":
            assert (await later.signal("t", "paid", "in time")).state == "kept"
        office.wall.now += DAY
        (result,) = (await later.approvals.sweep()).resumed
        assert (result.status, office.called()) == (COMPLETED, ["tickets", "finance"])
        if kind == "signal":
            assert result["pause"].output["payload"] == "in time"
        assert (await later.approvals.sweep()).resumed == []


async def test_a_signal_to_a_thread_that_is_held_is_taken_when_it_lets_go(
    durable_office: Office,
) -> None:
    office = durable_office
    await pause(office, signal("paid"))
    engine = await office.coordinator._engine()
    _, lease = await engine._database.threads.resume("t", holder="another", seconds=60)
    async with office.open() as here:
        sent = await here.signal("t", "paid", 5)
    assert (sent.state, sent.result) == ("taken", None)
    assert "another is running it" in sent.waits_for
    await engine._database.threads.release(lease, status="interrupted")
    (result,) = (await office.inbox.sweep()).resumed
    assert (result.status, result["pause"].output["payload"]) == (COMPLETED, 5)


# -- others -----------------------------------------------------------------------------


class Asking(TypedDict, total=False):
    reply: object


async def test_an_agent_that_asks_with_the_shape_of_a_wait_asks_a_person(office: Office) -> None:
    def ask(state: Asking) -> Asking:
        return {"reply": interrupt({"wait": "timer", "task_id": "finance", "due_at": 5})}

    graph = StateGraph(Asking)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    office.hire("finance", graph.compile())
    await office.coordinator.execute_sequential([AgentTask("finance")], thread_id="t")
    request = await office.asked()
    assert (request.kind, request.deadline_at) == ("question", None)
    assert (await office.inbox.sweep()).due == []

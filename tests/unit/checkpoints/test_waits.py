"""What every ledger does with waits and signals: in memory, in SQLite and in a real Postgres."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from checkpoints import ledger_sql, waits_sql
from checkpoints.approvals import (
    APPLIED,
    CLOCK,
    DEADLINE,
    DECIDED,
    LAPSED,
    PENDING,
    PEOPLE,
    WAITS,
    Answer,
    Asked,
    Due,
    NewRequest,
)
from checkpoints.signals import NewSignal, Signal
from checkpoints.threads import RUNNING, ThreadRecord
from state.errors import DecisionError, SignalError, ThreadFinishedError, UnknownSignalError
from state.waiting import signal_question, timer_question
from tests.unit.checkpoints.test_ledger import ANN, HOUR, NOW, Desk, Ledger, desk, new_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.plan import Plan

__all__ = ["desk"]


def timer(name: str = "q", *, due: float = NOW + HOUR, run_id: str = "run") -> NewRequest:
    asked = Asked(name, "pause", timer_question("pause", due=due))
    return wait(asked, "timer", "", due, run_id)


def signal(
    name: str = "q", *, deadline: float | None = None, of: str = "paid", run_id: str = "run"
) -> NewRequest:
    asked = Asked(name, "pause", signal_question("pause", signal=of, deadline=deadline))
    return wait(asked, "signal", of, deadline, run_id)


def wait(asked: Asked, kind: Any, action: str, at: float | None, run_id: str) -> NewRequest:  # noqa: ANN401
    return new_request(asked)._replace(kind=kind, action=action, deadline_at=at, run_id=run_id)


async def ask(desk: Desk, *requests: NewRequest) -> list[Due]:
    return await desk.ledger.record(requests, token=None)


async def send(
    ledger: Ledger,
    signal_id: str = "s",
    payload: Any = 5,  # noqa: ANN401
    *,
    name: str = "paid",
    run_id: str = "run",
) -> Signal:
    new = NewSignal("t", signal_id, name, payload, "bank")
    return await ledger._run(
        lambda connection: waits_sql.send(ledger.on(connection), new, run_id=run_id)
    )


async def answer_to(desk: Desk, request: NewRequest) -> object:
    answers = await desk.other.answers("t", [request.asked])
    return answers.get(request.asked.interrupt_id)


# -- timers -----------------------------------------------------------------------------


async def test_a_timer_fires_when_its_time_has_come_and_once(desk: Desk) -> None:
    (new,) = await ask(desk, timer())
    assert (new.event, new.request.kind, new.request.deadline_at) == (
        "requested",
        "timer",
        NOW + HOUR,
    )
    desk.clock.now += HOUR - 1
    assert await desk.ledger.work_off() == []
    assert await answer_to(desk, timer()) is None
    desk.clock.now += 1
    both = await asyncio.gather(desk.ledger.work_off(), desk.other.work_off())
    assert [due.event for each in both for due in each] == ["fired"]
    assert await answer_to(desk, timer()) == {"fired_at": NOW + HOUR}
    request = await desk.other.get("q")
    assert (request.status, request.decided_by, request.decided_at) == (DECIDED, CLOCK, NOW + HOUR)
    assert await desk.events() == ["requested", "fired"]


async def test_a_timer_that_is_entered_late_fires_at_once(desk: Desk) -> None:
    (new,) = await ask(desk, timer(due=NOW - 1))
    assert new.request.status == DECIDED
    assert await answer_to(desk, timer(due=NOW - 1)) == {"fired_at": NOW}
    assert await desk.ledger.work_off() == []


async def test_letting_go_of_a_thread_finds_a_timer_that_is_due(desk: Desk) -> None:
    await ask(desk, timer())
    assert await settle(desk, timer()) is False
    desk.clock.now += HOUR
    assert await settle(desk, timer()) is True
    assert await desk.events() == ["requested", "fired"]


async def settle(desk: Desk, *asked: NewRequest) -> bool:
    _, waiting = await desk.ledger._run(
        lambda connection: ledger_sql.settle(desk.ledger.on(connection), "t", asked)
    )
    return waiting


async def test_what_a_run_does_not_wait_for_any_more_is_closed(desk: Desk) -> None:
    await ask(desk, timer("a"), signal("b"))
    await settle(desk, signal("b"))
    await settle(desk)
    assert [(await desk.ledger.get(each)).status for each in "ab"] == [LAPSED, LAPSED]
    desk.clock.now += 2 * HOUR
    assert await desk.ledger.work_off() == []


@pytest.mark.parametrize(
    ("request_", "why"),
    [(timer(), "waits for a time"), (signal(), "threads signal t paid")],
    ids=["timer", "signal"],
)
async def test_nobody_decides_what_waits_for_no_person(
    desk: Desk, request_: NewRequest, why: str
) -> None:
    await ask(desk, request_)
    for said in ("approve", {"type": "respond", "message": "5"}, {"fired_at": 5}):
        with pytest.raises(DecisionError, match=why):
            await desk.ledger.decide([Answer("q", said)], ANN)
    assert (await desk.ledger.get("q")).status == PENDING
    assert await desk.events() == ["requested"]


async def test_the_next_time_that_anything_is_due_is_known(desk: Desk) -> None:
    assert await desk.ledger.seconds_until_due() is None
    await ask(desk, signal("s"), timer("late", due=NOW + 2 * HOUR))
    assert await desk.other.seconds_until_due() == 2 * HOUR
    await ask(desk, timer("soon"))
    assert await desk.other.seconds_until_due() == HOUR
    desk.clock.now += HOUR + 1
    assert await desk.other.seconds_until_due() == -1
    await desk.ledger.work_off()
    assert await desk.other.seconds_until_due() == HOUR - 1


async def test_what_waits_can_be_left_out(desk: Desk) -> None:
    await ask(desk, timer("a"), signal("b"), new_request(Asked("c", "expense", "may I?")))
    assert await desk.pending(kinds=PEOPLE) == ["c"]
    assert await desk.pending(kinds=WAITS) == ["a", "b"]
    assert await desk.pending() == ["a", "b", "c"]


# -- signals ----------------------------------------------------------------------------


async def test_a_signal_answers_what_waits_for_it(desk: Desk) -> None:
    await ask(desk, signal())
    sent = await send(desk.other)
    assert sent == Signal("s", "t", "run", "paid", 5, "bank", NOW, "q")
    assert await answer_to(desk, signal()) == {
        "signal": "paid", "payload": 5, "sent_by": "bank", "sent_at": NOW,
    }  # fmt: skip
    request = await desk.ledger.get("q")
    assert (request.status, request.decided_by) == (DECIDED, "bank")
    await desk.ledger.applied("t", ["q"])
    assert (await desk.ledger.get("q")).status == APPLIED
    trail = await desk.ledger.history(thread_id="t")
    assert [(each.event, each.actor) for each in trail] == [
        ("requested", "Rita"), ("signalled", "bank"), ("decided", "bank"), ("applied", None),
    ]  # fmt: skip
    assert trail[1].detail == {"signal_id": "s", "payload": 5}


async def test_a_signal_that_comes_early_is_kept_until_it_is_waited_for(desk: Desk) -> None:
    kept = await send(desk.ledger)
    assert kept.taken_for is None
    assert await desk.other.signals("t") == [kept]
    desk.clock.now += HOUR
    (new,) = await ask(desk, signal())
    assert new.request.status == DECIDED
    assert await desk.other.signals("t") == [kept._replace(taken_for="q")]
    assert await answer_to(desk, signal()) == {
        "signal": "paid", "payload": 5, "sent_by": "bank", "sent_at": NOW,
    }  # fmt: skip


async def test_one_signal_answers_one_wait_and_the_oldest_goes_first(desk: Desk) -> None:
    for number in (1, 2):
        await send(desk.ledger, f"s{number}", number)
    await ask(desk, signal("a"))
    await ask(desk, signal("b"))
    await ask(desk, signal("c"))
    desk.clock.now += 1
    await ask(desk, signal("d"))
    await send(desk.other, "s3", 3)
    payloads = [await answer_to(desk, signal(name)) for name in "abcd"]
    assert [each["payload"] if isinstance(each, dict) else each for each in payloads] == [
        1, 2, 3, None,
    ]  # fmt: skip


async def test_a_signal_of_another_name_run_or_thread_answers_nothing(desk: Desk) -> None:
    await ask(desk, signal())
    assert (await send(desk.ledger, "name", name="sent")).taken_for is None
    assert (await send(desk.ledger, "run", run_id="before")).taken_for is None
    await ask(desk, signal("next", of="sent", run_id="next"))
    assert sorted(await desk.pending()) == ["next", "q"]


@pytest.mark.parametrize(
    "payload", [None, 0, "", [], {}, {"a": [1, None]}, "grüße 🎫\x00"], ids=repr
)
async def test_a_signal_carries_any_json(desk: Desk, payload: Any) -> None:  # noqa: ANN401
    await send(desk.ledger, payload=payload)
    await ask(desk, signal())
    answer = await answer_to(desk, signal())
    assert isinstance(answer, dict)
    assert answer["payload"] == payload


async def test_of_many_signals_and_waits_at_once_each_finds_one(desk: Desk) -> None:
    names = [f"q{number}" for number in range(6)]
    ledgers = [desk.ledger, desk.other] * 3
    await asyncio.gather(
        *[send(ledger, f"s{name}", name) for ledger, name in zip(ledgers, names, strict=True)],
        *[
            ledger.record([signal(name)], token=None)
            for ledger, name in zip(ledgers, names, strict=True)
        ],
    )
    taken = [each.taken_for for each in await desk.ledger.signals("t")]
    assert sorted(map(str, taken)) == names
    assert await desk.pending() == []


# -- deadlines --------------------------------------------------------------------------


async def test_without_a_signal_the_deadline_decides(desk: Desk) -> None:
    wanted = signal(deadline=NOW + HOUR)
    await ask(desk, wanted)
    desk.clock.now += HOUR
    assert [each.event for each in await desk.ledger.work_off()] == ["expired"]
    assert await answer_to(desk, wanted) == {"timed_out": True}
    assert (await desk.ledger.get("q")).decided_by == DEADLINE
    assert (await send(desk.other)).taken_for is None


@pytest.mark.parametrize("late", [-0.001, 0.0], ids=["in time", "too late"])
async def test_who_was_first_is_told_by_the_times_alone(desk: Desk, late: float) -> None:
    wanted = signal(deadline=NOW + HOUR)
    await ask(desk, wanted)
    desk.clock.now = NOW + HOUR + late
    sent = await send(desk.ledger)  # nobody has swept
    assert (sent.taken_for is None) == (late == 0.0)
    desk.clock.now += HOUR
    assert await desk.other.work_off() == []
    answer = await answer_to(desk, wanted)
    assert (answer == {"timed_out": True}) == (late == 0.0)


@pytest.mark.parametrize("sent_at", [NOW + HOUR - 1, NOW + HOUR + 1], ids=["in time", "too late"])
async def test_the_same_holds_for_a_question_that_is_entered_later(
    desk: Desk, sent_at: float
) -> None:
    desk.clock.now = sent_at
    await send(desk.ledger)
    desk.clock.now = NOW + 2 * HOUR
    wanted = signal(deadline=NOW + HOUR)
    await ask(desk, wanted)
    answer = await answer_to(desk, wanted)
    assert (answer == {"timed_out": True}) == (sent_at > NOW + HOUR)
    assert (await desk.ledger.get("q")).status == DECIDED


async def test_of_a_signal_and_the_deadline_at_once_one_wins(desk: Desk) -> None:
    for number in range(5):
        name, deadline = f"q{number}", desk.clock.now + 1
        wanted = signal(name, deadline=deadline, of=name)
        await ask(desk, wanted)
        desk.clock.now = deadline - 0.0005

        async def later() -> None:
            desk.clock.now += 0.0005
            await desk.other.work_off()

        sent, _ = await asyncio.gather(send(desk.ledger, name, name=name), later())
        answer = await answer_to(desk, wanted)
        assert (answer == {"timed_out": True}) == (sent.taken_for is None)
        decided = [each for each in await desk.events(name) if each != "requested"]
        assert len(decided) == 1


# -- what is accepted -------------------------------------------------------------------


async def accept(desk: Desk, record: ThreadRecord, **differences: Any) -> Signal:  # noqa: ANN401
    new = NewSignal("t", "s", "paid", 5, "bank")._replace(**differences)
    return await desk.ledger._run(
        lambda connection: waits_sql.accept(desk.ledger.on(connection), new, record)
    )


@pytest.fixture
def record(make_plan: Callable[[str], Plan]) -> ThreadRecord:
    plan = make_plan("run")
    task: dict[str, Any] = plan.document["tasks"]["a"]  # type: ignore[assignment]  # as a planner does
    task["wait"] = {"kind": "signal", "signal": "paid", "timeout_seconds": None}
    return ThreadRecord("t", plan, RUNNING, NOW, NOW, None)


async def test_the_same_id_is_the_same_signal_also_after_the_end(
    desk: Desk, record: ThreadRecord
) -> None:
    first = await accept(desk, record)
    desk.clock.now += 1
    assert await accept(desk, record, sent_by="another try") == first
    over = record._replace(status="completed")
    assert await accept(desk, over) == first
    for other in ({"payload": 6}, {"payload": True}, {"name": "other"}):
        with pytest.raises(SignalError, match="the signal id 's' was used before, for 'paid'"):
            await accept(desk, record, **other)
    assert await desk.ledger.signals("t") == [first]


async def test_what_nothing_can_take_leaves_no_trace(desk: Desk, record: ThreadRecord) -> None:
    with pytest.raises(UnknownSignalError) as unknown:
        await accept(desk, record, name="piad")
    assert unknown.value.known == ("paid",)
    with pytest.raises(ThreadFinishedError):
        await accept(desk, record._replace(status="completed"))
    assert await desk.ledger.signals("t") == []
    assert await desk.ledger.history() == []

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from orchestration import AgentTask, SimpleCoordinator, get_registry
from orchestration.cli.words import event_line
from tests.unit.orchestration.cli.test_approval_commands import commands, flat
from tests.unit.orchestration.waits import DAY, planned, run, signal, timer

if TYPE_CHECKING:
    from typer.testing import Result

    from state.waiting import WaitDocument

    Invoke = Callable[..., Result]

BOOK = {"messages": [{"role": "user", "content": "Book 2 tickets for tonight"}]}
LONG_AGO = time.time() - 3 * DAY


def tasks(*names: str) -> list[AgentTask]:
    return [AgentTask("ticketing", BOOK), *(AgentTask("sales", task_id=name) for name in names)]


def pause(
    waits: Mapping[str, WaitDocument], thread_id: str = "t", *, now: float | None = None
) -> None:
    """Leave a thread that waits, as a process of the past did."""

    async def begin() -> None:
        get_registry.cache_clear()
        clock = time.time if now is None else lambda: now
        async with SimpleCoordinator(clock=clock) as coordinator:
            paused = await run(coordinator, tasks(*waits), waits, thread_id)
            assert paused.status == "interrupted"

    asyncio.run(begin())


# -- signals ----------------------------------------------------------------------------


def test_a_signal_lets_the_run_go_on_and_the_command_exits_like_run(invoke: Invoke) -> None:
    pause({"paid": signal("paid")})
    done = invoke("threads", "signal", "t", "paid", "--payload", '{"amount": 5}', "--by", "bank")
    assert done.exit_code == 0
    assert "Recorded: the run goes on with the signal 'paid'." in done.stdout
    assert "Completed: 2 of 2 tasks succeeded." in done.stdout
    assert '{"signal": "paid", "payload": {"amount": 5}, "sent_by": "bank"}' in flat(done.stdout)


def test_as_json_it_says_what_became_of_the_signal_and_the_run(invoke: Invoke) -> None:
    pause({"paid": signal("paid"), "sent": signal("sent")})
    early = json.loads(invoke("threads", "signal", "t", "sent", "--id", "7", "--json").stdout)
    assert (early["signal"]["state"], early["result"], early["waits_for"]) == ("kept", None, "")
    taken = invoke("threads", "signal", "t", "paid", "--json")
    shown = json.loads(taken.stdout)
    assert (taken.exit_code, shown["signal"]["state"]) == (0, "taken")
    assert shown["result"]["status"] == "completed"
    again = json.loads(invoke("threads", "signal", "t", "sent", "--id", "7", "--json").stdout)
    assert (again["signal"]["state"], again["signal"]["taken_for"] is None) == ("taken", False)


def test_an_early_signal_is_kept_and_shown(invoke: Invoke) -> None:
    pause({"paid": signal("paid"), "sent": signal("sent")})
    done = invoke("threads", "signal", "t", "sent", "--payload", "5", "--by", "bank")
    assert (done.exit_code, done.stdout) == (
        0, "Recorded: nothing waits for 'sent' yet, so it is kept until something does.\n",
    )  # fmt: skip
    shown = invoke("threads", "show", "t").stdout
    assert "sent     kept    bank" in shown
    assert "waits for the signal 'sent'" in shown
    invoke("threads", "cancel", "t")
    (kept,) = json.loads(invoke("threads", "show", "t", "--json").stdout)["signals"]
    assert (kept["state"], kept["payload"], kept["taken_for"]) == ("unused", 5, None)


def test_what_cannot_be_sent_is_refused(invoke: Invoke) -> None:
    pause({"paid": signal("paid")})
    unknown = invoke("threads", "signal", "t", "piad")
    assert unknown.exit_code == 5
    assert "no task of its run waits for the signal 'piad'; it waits for ['paid']" in flat(
        unknown.stderr
    )
    assert invoke("threads", "signal", "nobody", "paid").exit_code == 5
    no_json = invoke("threads", "signal", "t", "paid", "--payload", "text")
    assert no_json.exit_code == 2
    assert "quotes of its own" in flat(no_json.stderr)
    assert invoke("threads", "signal", "t", "paid", "--by", " ").exit_code == 2
    invoke("threads", "signal", "t", "paid")
    over = invoke("threads", "signal", "t", "paid")
    assert over.exit_code == 5
    assert "its run is over (completed)" in flat(over.stderr)


@pytest.mark.parametrize("command", [("threads", "show"), ("threads", "resume")], ids=" ".join)
def test_a_paused_thread_says_which_signal_it_waits_for_and_how_to_send_it(
    invoke: Invoke, command: tuple[str, ...]
) -> None:
    pause({"paid": signal("paid", timeout=DAY)})
    shown = invoke(*command, "t").stdout
    assert "paid waits for the signal 'paid', until 20" in shown
    assert "(in 23 h 59 min)." in shown
    suggested = commands(shown)
    assert suggested["signal"][:4] == ["threads", "signal", "t", "paid"]
    assert suggested["sweep"] == ["approvals", "sweep", "--every", "60"]
    assert invoke(*suggested["signal"]).exit_code == 0


# -- timers -----------------------------------------------------------------------------


def test_a_paused_thread_says_until_when_it_waits_and_what_lets_it_go_on(invoke: Invoke) -> None:
    pause({"nap": timer(2 * DAY)})
    done = invoke("threads", "resume", "t")
    assert done.exit_code == 4
    assert "nap waits until 20" in done.stdout
    assert "(in 1 d 23 h)." in done.stdout
    assert set(commands(done.stdout)) == {"sweep"}
    (interrupt,) = json.loads(invoke("threads", "show", "t", "--json").stdout)["result"][
        "interrupts"
    ]
    assert (interrupt["kind"], interrupt["value"]["wait"]) == ("timer", "timer")


def test_a_sweep_lets_what_is_due_go_on(invoke: Invoke) -> None:
    pause({"nap": timer(2 * DAY)}, now=LONG_AGO)
    swept = invoke("approvals", "sweep")
    assert swept.exit_code == 0
    assert "fired: nap, thread t" in swept.stdout
    assert "resumed thread t: completed" in swept.stdout
    history = invoke("approvals", "history", "--thread", "t").stdout
    assert "the clock" in history


def test_a_resume_lets_what_is_due_go_on(invoke: Invoke) -> None:
    pause({"nap": timer(2 * DAY)}, now=LONG_AGO)
    assert invoke("threads", "resume", "t").exit_code == 0


# -- the inbox --------------------------------------------------------------------------


def test_the_inbox_shows_waits_only_if_asked(invoke: Invoke) -> None:
    pause({"nap": timer(DAY)}, "one")
    pause({"paid": signal("paid")}, "two")
    assert "Nothing waits for a person" in invoke("approvals", "list").stdout
    assert json.loads(invoke("approvals", "list", "--json").stdout) == []
    listed = json.loads(invoke("approvals", "list", "--waits", "--json").stdout)
    assert [(each["kind"], each["action"]) for each in listed] == [
        ("timer", ""),
        ("signal", "paid"),
    ]
    shown = flat(invoke("approvals", "list", "--waits").stdout)
    assert "the clock" in shown
    assert "paid waits for the signal 'paid'." in shown
    page = invoke("approvals", "list", "--waits", "--limit", "1").stdout
    assert "--waits" in commands(page)["list"]


def test_a_wait_is_shown_without_ways_to_answer_it(invoke: Invoke) -> None:
    pause({"paid": signal("paid")})
    (wait,) = json.loads(invoke("approvals", "list", "--waits", "--json").stdout)
    shown = invoke("approvals", "show", wait["request_id"]).stdout
    assert "paid waits for the signal 'paid'." in shown
    assert set(commands(shown)) == {"signal"}
    refused = invoke("approvals", "approve", wait["request_id"])
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "orchestration threads signal t paid" in flat(refused.stderr)
    invoke("threads", "signal", "t", "paid", "--by", "bank")
    over = invoke("approvals", "show", wait["request_id"]).stdout
    assert "the signal came at 20" in over
    assert "from bank" in over


# -- progress ---------------------------------------------------------------------------


def test_progress_says_that_a_task_waits_and_not_that_it_failed_or_asks() -> None:
    waits = {"nap": timer(DAY), "paid": signal("paid")}
    lines: list[str] = []

    async def follow() -> None:
        get_registry.cache_clear()
        async with SimpleCoordinator() as coordinator:
            made = planned(coordinator, tasks(*waits), waits, strategy="parallel")
            async for event in coordinator.stream_planned(made, thread_id="t"):
                said = event_line(event)
                lines.extend([said[0]] if said else [])

    asyncio.run(follow())
    about_waits = [line for line in lines if "ticketing" not in line]
    assert len(about_waits) == 4
    assert {"→ nap started", "→ paid started", "… paid waits for the signal 'paid'"} < set(lines)
    assert any(line.startswith("… nap waits until 20") for line in lines)

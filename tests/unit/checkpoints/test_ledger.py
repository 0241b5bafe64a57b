"""What every approval ledger does: in memory, in SQLite and in a real Postgres."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from checkpoints import ledger_sql
from checkpoints.approval_ledgers import SqlApprovals
from checkpoints.approvals import (
    APPLIED,
    DEADLINE,
    DECIDED,
    LAPSED,
    PENDING,
    STATUSES,
    Answer,
    ApprovalRequest,
    Asked,
    Due,
    Filter,
    NewRequest,
    seen_hash,
)
from checkpoints.database import open_database
from checkpoints.postgres_approvals import PostgresApprovals
from state.approval import ApprovalPolicy
from state.decision import Decider
from state.errors import (
    AlreadyDecidedError,
    DecisionError,
    LeaseLostError,
    NotAllowedError,
    RequestNotFoundError,
)
from state.jsonvalue import JsonValue

NOW = 1_800_000_000.0
ANN, BOB, CLEO = Decider("Ann", ["manager"]), Decider("Bob", ["manager"]), Decider("Cleo", ["cfo"])
TIMES = ApprovalPolicy(
    deadline=timedelta(hours=3),
    escalation=timedelta(hours=2),
    reminder=timedelta(hours=1),
    roles=["manager"],
    escalate_to=["cfo"],
)
HOUR = 3600.0
Ledger = SqlApprovals[Any]


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def edit(**arguments: JsonValue) -> dict[str, object]:
    return {"type": "edit", "edited_action": {"name": "finance", "args": arguments}}


def payload(task_id: str = "expense", **arguments: JsonValue) -> JsonValue:
    return {"action_requests": [{"name": "finance", "args": arguments}], "task_id": task_id}


def new_request(asked: Asked, policy: ApprovalPolicy | None = None) -> NewRequest:
    return NewRequest(
        thread_id="t",
        run_id="run",
        asked=asked,
        kind="approval",
        action="finance",
        policy=(policy or ApprovalPolicy()).document(),
        requester="Rita",
        tenant=None,
    )


@dataclass
class Desk:
    """A ledger, and short words for what runs and people do with it."""

    ledger: Ledger
    other: Ledger
    """As another process has it."""
    clock: Clock = field(default_factory=Clock)

    async def ask(
        self,
        interrupt_id: str = "q",
        policy: ApprovalPolicy | None = None,
        *,
        value: JsonValue = None,
        token: int | None = None,
        **differences: Any,  # noqa: ANN401
    ) -> list[Due]:
        request = new_request(Asked(interrupt_id, "expense", value or payload(amount=5)), policy)
        return await self.ledger.record([request._replace(**differences)], token=token)

    async def say(self, answer: object, who: Decider = ANN, on: str = "q") -> ApprovalRequest:
        (request,) = await self.ledger.decide([Answer(on, answer)], who)
        return request

    async def pending(self, **wanted: Any) -> list[str]:  # noqa: ANN401
        return [each.request_id for each in await self.ledger.find(Filter(**wanted))]

    async def events(self, request_id: str = "q") -> list[str]:
        return [each.event for each in await self.ledger.history(request_id=request_id)]

    async def settle(self, *asked: Asked) -> bool:
        requests = [new_request(each) for each in asked]
        _, waiting = await self.ledger._run(
            lambda connection: ledger_sql.settle(self.ledger.on(connection), "t", requests)
        )
        return waiting

    async def sql(self, statement: str) -> Any:  # noqa: ANN401
        return await self.ledger._run(
            lambda connection: self.ledger.on(connection).execute(text(statement))
        )


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    open_desk = {"memory": in_memory, "sqlite": in_sqlite, "postgres": in_postgres}
    yield from open_desk[request.param](request)


def in_memory(_request: pytest.FixtureRequest) -> Iterator[Desk]:
    clock = Clock()
    database = open_database("memory://", clock=clock)
    ledger = cast("Ledger", database.approvals)
    yield Desk(ledger, ledger, clock)
    database.close()


def in_sqlite(request: pytest.FixtureRequest) -> Iterator[Desk]:
    clock, file = Clock(), cast("Path", request.getfixturevalue("file"))
    one, two = (open_database(f"sqlite:///{file}", clock=clock) for _ in range(2))
    yield Desk(cast("Ledger", one.approvals), cast("Ledger", two.approvals), clock)
    one.close()
    two.close()


def in_postgres(request: pytest.FixtureRequest) -> Iterator[Desk]:
    clock, url = Clock(), request.getfixturevalue("postgres_database")
    engines = create_engine(url), create_engine(url)
    one, two = (PostgresApprovals(engine, clock=clock) for engine in engines)
    yield Desk(one, two, clock)
    for engine in engines:
        engine.dispose()


# -- asking -----------------------------------------------------------------------------


async def test_a_question_is_kept_with_all_that_is_needed_to_judge_answers(desk: Desk) -> None:
    (new,) = await desk.ask(policy=TIMES, tenant="acme")
    request = await desk.other.get("q")
    assert new == Due("requested", request)
    assert (request.status, request.kind, request.action) == (PENDING, "approval", "finance")
    assert (request.thread_id, request.run_id, request.task_id) == ("t", "run", "expense")
    assert (request.tenant, request.requester) == ("acme", "Rita")
    assert request.policy == TIMES.document()
    assert request.arguments == {"amount": 5}
    assert request.seen_hash == seen_hash(request.payload)
    assert (request.created_at, request.remind_at) == (NOW, NOW + HOUR)
    assert (request.escalate_at, request.deadline_at) == (NOW + 2 * HOUR, NOW + 3 * HOUR)
    assert (request.escalated, request.decision, request.decided_at) == (False, None, None)


async def test_asking_again_changes_nothing(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    first = await desk.ledger.get("q")
    desk.clock.now += HOUR
    assert await desk.ask(policy=TIMES) == []
    assert await desk.ledger.get("q") == first
    assert await desk.events() == ["requested"]


async def test_asking_again_after_the_answer_keeps_the_answer(desk: Desk) -> None:
    await desk.ask()
    await desk.say("approve")
    assert await desk.ask() == []
    assert (await desk.ledger.get("q")).status == DECIDED


async def test_one_interrupt_that_asks_something_else_is_another_question(desk: Desk) -> None:
    first, second = payload(n=1), payload(n=2)
    await desk.ask(value=first)
    await desk.say("approve")
    await desk.ask(value=second)
    assert (await desk.ledger.get("q-2")).payload == second
    asked = Asked("q", "expense", second)
    assert await desk.ledger.answers("t", [asked]) == {}
    await desk.say("reject", on="q-2")
    answers = await desk.ledger.answers("t", [asked])
    assert answers == {"q": {"decisions": [{"type": "reject"}], "by": "Ann"}}


async def test_the_same_question_asked_after_its_answer_was_used_is_asked_anew(desk: Desk) -> None:
    await desk.ask()
    await desk.say("approve")
    await desk.ledger.applied("t", ["q"])
    assert [each.request.request_id for each in await desk.ask()] == ["q-2"]
    assert await desk.pending() == ["q-2"]
    assert await desk.ledger.answers("t", [Asked("q", "expense", payload(amount=5))]) == {}


async def test_a_lapsed_question_can_be_asked_anew(desk: Desk) -> None:
    await desk.ask()
    await desk.settle()
    await desk.ask()
    assert await desk.pending() == ["q-2"]


async def test_a_copy_of_a_thread_asks_for_itself(desk: Desk) -> None:
    await desk.ask()
    await desk.say("approve")
    await desk.ask(thread_id="copy")
    assert await desk.pending() == ["q-2"]
    assert await desk.ask(thread_id="copy") == []
    asked = Asked("q", "expense", payload(amount=5))
    assert await desk.ledger.answers("copy", [asked]) == {}
    await desk.say("reject", on="q-2")
    assert (await desk.ledger.answers("t", [asked]))["q"] == {
        "decisions": [{"type": "approve"}], "by": "Ann",
    }  # fmt: skip


# -- answering --------------------------------------------------------------------------


async def test_an_answer_is_final_and_known_to_everybody(desk: Desk) -> None:
    await desk.ask()
    desk.clock.now += 60
    said = await desk.say({"type": "reject", "message": "too dear"})
    assert said == await desk.other.get("q")
    assert (said.status, said.decided_by, said.decided_at) == (DECIDED, "Ann", NOW + 60)
    assert said.decision == {"type": "reject", "message": "too dear"}


async def test_who_comes_second_learns_who_was_first(desk: Desk) -> None:
    await desk.ask()
    await desk.say("reject")
    won = "decided by Ann at 2027-01-15 08:00:00 UTC: reject"
    with pytest.raises(AlreadyDecidedError, match=won) as caught:
        await desk.other.decide([Answer("q", "approve")], BOB)
    lost = caught.value
    assert (lost.decided_by, lost.decided_at, lost.decision) == ("Ann", NOW, "reject")
    assert (lost.status, lost.task_id, lost.thread_id) == (DECIDED, "expense", "t")
    assert (await desk.ledger.get("q")).decided_by == "Ann"
    assert await desk.events() == ["requested", "decided"]


async def test_of_many_at_once_one_wins_and_all_others_learn_who(desk: Desk) -> None:
    for number in range(10):
        name = f"q{number}"
        await desk.ask(name)
        people = [Decider(f"person {each}") for each in range(12)]
        ledgers = [desk.ledger, desk.other] * 6
        said = await asyncio.gather(
            *[
                ledger.decide([Answer(name, "approve")], who)
                for ledger, who in zip(ledgers, people, strict=True)
            ],
            return_exceptions=True,
        )
        lost = [each for each in said if isinstance(each, AlreadyDecidedError)]
        winner = (await desk.ledger.get(name)).decided_by
        assert (len(lost), {each.decided_by for each in lost}) == (11, {winner})
        assert await desk.events(name) == ["requested", "decided"]


async def test_answers_count_all_or_none(desk: Desk) -> None:
    await desk.ask("a")
    await desk.ask("b")
    await desk.say("approve", on="b")
    with pytest.raises(AlreadyDecidedError):
        await desk.ledger.decide([Answer("a", "approve"), Answer("b", "approve")], BOB)
    assert await desk.pending() == ["a"]
    with pytest.raises(RequestNotFoundError):
        await desk.ledger.decide([Answer("a", "approve"), Answer("c", "approve")], BOB)
    assert await desk.events("a") == ["requested"]
    await desk.ask("c")
    both = await desk.ledger.decide([Answer("a", "approve"), Answer("c", "reject")], BOB)
    assert [each.status for each in both] == [DECIDED, DECIDED]


@pytest.mark.parametrize(
    ("answer", "who", "reason"),
    [
        (None, ANN, None),
        ({}, ANN, None),
        ("maybe", ANN, None),
        (edit(amount="five"), ANN, None),
        (edit(amuont=5), ANN, None),
        ("approve", Decider("Ann"), "wrong_role"),
        ("approve", CLEO, "wrong_role"),
        ("approve", Decider("  RITA ", ["manager"]), "requester"),
        ("approve", Decider(None, ["manager"]), "nobody"),
        ("approve", Decider(" ", ["manager"]), "nobody"),
        ("approve", Decider("An\ud800n", ["manager"]), "nobody"),
    ],
)
async def test_what_does_not_count_leaves_no_trace(
    desk: Desk, answer: object, who: Decider, reason: str | None
) -> None:
    await desk.ask(policy=TIMES)
    before = await desk.ledger.get("q")
    with pytest.raises(DecisionError) as refused:
        await desk.say(answer, who)
    assert getattr(refused.value, "reason", None) == reason
    assert await desk.ledger.get("q") == before
    assert await desk.events() == ["requested"]


@pytest.mark.parametrize("request_id", ["", "no", "q'--", "%", "q\x00", "\ud800"])
async def test_an_unknown_id_is_refused_with_what_is_pending(desk: Desk, request_id: str) -> None:
    await desk.ask()
    unknown = [
        desk.ledger.get(request_id),
        desk.ledger.decide([Answer(request_id, "approve")], ANN),
        desk.ledger.find(Filter(after=request_id)),
    ]
    for call in unknown:
        with pytest.raises(RequestNotFoundError, match=r"pending are \['q'\]"):
            await call
    assert await desk.pending() == ["q"]


async def test_an_edit_comes_back_with_its_arguments(desk: Desk) -> None:
    await desk.ask()
    await desk.say(edit(amount=4))
    answers = await desk.ledger.answers("t", [Asked("q", "expense", payload(amount=5))])
    assert answers == {"q": {"decisions": [edit(amount=4)], "by": "Ann"}}


@pytest.mark.parametrize("answer", ["12A", 7, 0, False, ["12A"], {"seat": "12A"}])
async def test_a_question_takes_any_json_and_gives_it_back(desk: Desk, answer: object) -> None:
    await desk.ask(kind="question", action="", value="which seat?", requester=None)
    await desk.say(answer, Decider(None))
    asked = Asked("q", "", "which seat?")
    assert await desk.ledger.answers("t", [asked]) == {"q": answer}


@pytest.mark.parametrize("answer", [None, {}, object(), float("nan"), {1: 2}, {"x": {3}}, "\ud800"])
async def test_a_question_refuses_what_cannot_be_kept(desk: Desk, answer: object) -> None:
    await desk.ask(kind="question", action="", value="which seat?", requester=None)
    with pytest.raises(DecisionError, match="is no answer"):
        await desk.say(answer)
    assert await desk.pending() == ["q"]


# -- quorum -----------------------------------------------------------------------------

TWO = ApprovalPolicy(quorum=2)


async def test_a_quorum_needs_different_people(desk: Desk) -> None:
    await desk.ask(policy=TWO)
    voted = await desk.say("approve", ANN)
    assert (voted.status, voted.votes) == (PENDING, 1)
    with pytest.raises(NotAllowedError, match="has answered already") as refused:
        await desk.say("approve", Decider(" ANN"))
    assert refused.value.reason == "voted"
    assert (await desk.other.get("q")).votes == 1
    decided = await desk.say("approve", BOB)
    assert (decided.status, decided.decided_by) == (DECIDED, "Bob")
    assert await desk.events() == ["requested", "voted", "decided"]


async def test_a_quorum_counts_what_is_the_same(desk: Desk) -> None:
    await desk.ask(policy=TWO)
    await desk.say("approve", ANN)
    await desk.say(edit(amount=3), BOB)
    await desk.say(edit(amount=4), CLEO)
    decided = await desk.say(edit(amount=4), Decider("Dan"))
    assert (decided.status, decided.decision) == (DECIDED, edit(amount=4))


async def test_of_many_votes_at_once_just_enough_count(desk: Desk) -> None:
    await desk.ask(policy=ApprovalPolicy(quorum=3))
    said = await asyncio.gather(
        *[
            ledger.decide([Answer("q", "approve")], Decider(f"{name} {number}"))
            for number in range(3)
            for name, ledger in (("one", desk.ledger), ("two", desk.other))
        ],
        return_exceptions=True,
    )
    assert sum(isinstance(each, AlreadyDecidedError) for each in said) == 3
    assert await desk.events() == ["requested", "voted", "voted", "decided"]


async def test_one_no_ends_a_quorum(desk: Desk) -> None:
    await desk.ask(policy=TWO)
    await desk.say("approve", ANN)
    assert (await desk.say("reject", BOB)).status == DECIDED


# -- the clock --------------------------------------------------------------------------


async def test_reminder_and_escalation_are_claimed_once(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    desk.clock.now = NOW + HOUR - 1
    assert await desk.ledger.work_off() == []
    desk.clock.now = NOW + 2 * HOUR
    both = await asyncio.gather(desk.ledger.work_off(), desk.other.work_off())
    assert sorted(due.event for dues in both for due in dues) == ["escalated", "reminded"]
    assert await desk.ledger.work_off() == []
    assert await desk.events() == ["requested", "escalated", "reminded"]
    assert await desk.pending() == ["q"]


async def test_an_escalation_counts_from_its_moment_on_whoever_notices_it(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    desk.clock.now = NOW + 2 * HOUR - 1
    with pytest.raises(NotAllowedError):
        await desk.say("approve", CLEO)
    desk.clock.now = NOW + 2 * HOUR
    assert (await desk.say("approve", CLEO)).status == DECIDED


async def test_a_passed_deadline_is_a_no_said_once(desk: Desk) -> None:
    await desk.ask(policy=replace(TIMES, reminder=None, escalation=None, escalate_to=[]))
    desk.clock.now = NOW + 3 * HOUR
    both = await asyncio.gather(desk.ledger.work_off(), desk.other.work_off())
    ((event, request),) = [due for dues in both for due in dues]
    assert (event, request.status, request.decided_by) == ("expired", DECIDED, DEADLINE)
    assert request.decision == {
        "type": "reject", "message": "nobody decided before the deadline",
    }  # fmt: skip
    assert request == await desk.ledger.get("q")
    assert await desk.events() == ["requested", "expired"]


async def test_the_deadline_may_mean_yes_where_the_policy_says_so(desk: Desk) -> None:
    await desk.ask(policy=ApprovalPolicy(deadline=timedelta(hours=1), at_deadline="approve"))
    desk.clock.now += HOUR
    ((_, request),) = await desk.ledger.work_off()
    assert request.decision == {"type": "approve"}


async def test_nobody_is_told_of_reminders_after_the_deadline(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    desk.clock.now = NOW + 4 * HOUR
    assert [due.event for due in await desk.ledger.work_off()] == ["expired"]


async def test_an_answer_at_the_deadline_is_late_and_the_question_stays(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    desk.clock.now = NOW + 3 * HOUR
    with pytest.raises(NotAllowedError, match="deadline has passed") as refused:
        await desk.say("approve")
    assert refused.value.reason == "late"
    assert await desk.pending() == ["q"]
    desk.clock.now -= 0.001
    assert (await desk.say("approve")).status == DECIDED


async def test_the_clock_does_nothing_to_what_is_answered(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    await desk.say("approve")
    desk.clock.now += 9 * HOUR
    assert await desk.ledger.work_off() == []


async def test_the_clock_can_be_worked_off_for_one_thread(desk: Desk) -> None:
    await desk.ask("q", TIMES)
    await desk.ask("r", TIMES, thread_id="u")
    desk.clock.now += 9 * HOUR
    done = await desk.ledger.work_off(thread_id="u")
    assert [due.request.request_id for due in done] == ["r"]
    assert await desk.pending() == ["q"]


# -- what becomes of questions ----------------------------------------------------------


async def test_what_a_run_does_not_ask_any_more_is_closed(desk: Desk) -> None:
    for name in ("open", "answered", "lapsing", "used"):
        await desk.ask(name)
    await desk.say("approve", on="answered")
    await desk.say("approve", on="used")
    still = [Asked(name, "expense", payload(amount=5)) for name in ("open", "answered")]
    assert await desk.settle(*still)
    kept = {each.request_id: each.status for each in await desk.ledger.find(Filter(STATUSES))}
    assert kept == {"open": PENDING, "answered": DECIDED, "lapsing": LAPSED, "used": APPLIED}
    assert not await desk.settle(still[0])
    assert (await desk.ledger.get("answered")).status == APPLIED


async def test_nothing_waits_where_nothing_is_answered(desk: Desk) -> None:
    assert not await desk.settle()
    await desk.ask()
    assert not await desk.settle(Asked("q", "expense", payload(amount=5)))
    assert await desk.pending() == ["q"]


async def test_a_lapsed_question_takes_no_answer(desk: Desk) -> None:
    await desk.ask()
    await desk.settle()
    with pytest.raises(AlreadyDecidedError, match="lapsed") as lost:
        await desk.say("approve")
    assert (lost.value.status, lost.value.decided_by) == (LAPSED, None)
    assert await desk.events() == ["requested", "lapsed"]


async def test_an_answer_is_used_once(desk: Desk) -> None:
    await desk.ask()
    await desk.say("approve")
    await desk.ledger.applied("t", ["q"])
    await desk.ledger.applied("t", ["q"])
    assert await desk.events() == ["requested", "decided", "applied"]
    assert await desk.ledger.answers("t", [Asked("q", "expense", payload(amount=5))]) == {}


async def test_a_question_nobody_answered_is_not_marked_as_used(desk: Desk) -> None:
    await desk.ask()
    await desk.ledger.applied("t", ["q", "unknown"])
    await desk.ledger.applied("t", [])
    assert await desk.pending() == ["q"]


async def test_threads_with_open_questions_are_known(desk: Desk) -> None:
    assert set(await desk.ledger.asking()) == set()
    await desk.ask("a")
    await desk.ask("b", thread_id="u")
    await desk.ask("c", thread_id="v")
    await desk.say("approve", on="b")
    await desk.say("approve", on="c")
    await desk.ledger.applied("v", ["c"])
    assert set(await desk.ledger.asking()) == {"t", "u"}


# -- finding ----------------------------------------------------------------------------


async def test_questions_are_found_by_what_they_are(desk: Desk) -> None:
    managers = ApprovalPolicy(roles=["manager"])
    await desk.ask("anybody", tenant="acme")
    await desk.ask("managers", managers)
    await desk.ask("elsewhere", thread_id="u")
    await desk.ask("answered")
    await desk.say("approve", on="answered")
    assert await desk.pending() == ["anybody", "elsewhere", "managers"]
    assert await desk.pending(thread_id="u") == ["elsewhere"]
    assert await desk.pending(tenant="acme") == ["anybody"]
    assert await desk.pending(role="manager") == ["anybody", "elsewhere", "managers"]
    assert await desk.pending(role="clerk") == ["anybody", "elsewhere"]
    assert await desk.pending(statuses=[DECIDED]) == ["answered"]
    assert await desk.pending(statuses=[]) == []


@pytest.mark.parametrize(
    "role", ["Manager", "manage", "%", "man_ger", '"', "approve", "reject", "roles", "", "Chéf"]
)
async def test_a_role_is_found_only_as_it_is_written(desk: Desk, role: str) -> None:
    policy = replace(TIMES, roles=["manager", "chéf"])
    await desk.ask(policy=policy)
    desk.clock.now += 2 * HOUR
    await desk.ledger.work_off()
    assert await desk.pending(role=role) == []
    for right in ("manager", "chéf", "cfo"):
        assert await desk.pending(role=right) == ["q"]


async def test_an_escalation_shows_the_question_to_others(desk: Desk) -> None:
    await desk.ask(policy=TIMES)
    await desk.ask("anybody", replace(TIMES, roles=[]))
    assert await desk.pending(role="cfo") == ["anybody"]
    desk.clock.now += 2 * HOUR
    await desk.ledger.work_off()
    assert await desk.pending(role="cfo") == ["anybody", "q"]
    assert await desk.pending(role="clerk") == ["anybody"]
    assert (await desk.ledger.get("q")).may_decide() == ["manager", "cfo"]


async def test_pages_hold_each_question_once_even_where_many_came_at_once(desk: Desk) -> None:
    names = [f"{number:02}" for number in range(7)]
    for name in reversed(names):
        desk.clock.now += int(name) % 2
        await desk.ask(name)
    seen: list[str] = []
    while page := await desk.pending(limit=2, after=seen[-1] if seen else None):
        await desk.say("reject", on=page[0])  # what is answered meanwhile moves nothing
        seen += page
    assert sorted(seen) == names


# -- the trail --------------------------------------------------------------------------


async def test_the_trail_says_who_did_what_when_and_why(desk: Desk) -> None:
    await desk.ask(policy=TWO)
    desk.clock.now += 1
    await desk.ledger.decide([Answer("q", edit(amount=4), "cheaper")], ANN)
    desk.clock.now += 1
    await desk.ledger.decide([Answer("q", "reject", "no\x00 💶 \ud800")], CLEO)
    await desk.ledger.applied("t", ["q"])
    asked, voted, decided, used = await desk.other.history(request_id="q")
    assert [(each.event, each.actor, each.roles, each.at) for each in (asked, voted, decided)] == [
        ("requested", "Rita", [], NOW),
        ("voted", "Ann", ["manager"], NOW + 1),
        ("decided", "Cleo", ["cfo"], NOW + 2),
    ]
    assert (used.event, used.actor, used.decision, used.detail) == ("applied", None, "", {})
    assert (voted.decision, voted.detail) == (
        "edit", {"decision": edit(amount=4), "comment": "cheaper"},
    )  # fmt: skip
    assert decided.detail["comment"] == "no\x00 💶 \ud800"
    assert {each.seen_hash for each in (asked, voted, decided, used)} == {
        seen_hash(payload(amount=5))
    }
    assert [each.entry for each in (asked, voted, decided, used)] == sorted(
        each.entry for each in (asked, voted, decided, used)
    )
    assert await desk.ledger.history(thread_id="t") == [asked, voted, decided, used]
    assert await desk.ledger.history(thread_id="u") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orchestration_approval_audit SET actor = 'Eve'",
        "DELETE FROM orchestration_approval_audit",
        "DELETE FROM orchestration_approval_audit WHERE request_id = 'q'",
    ],
)
async def test_the_database_itself_refuses_to_change_the_trail(desk: Desk, change: str) -> None:
    await desk.ask()
    before = await desk.ledger.history()
    with pytest.raises(Exception, match="the approval audit is append-only") as refused:
        await desk.sql(change)
    assert isinstance(refused.value, DBAPIError) or type(refused.value).__module__ == "sqlite3"
    assert await desk.ledger.history() == before


async def test_no_other_statement_of_a_database_gets_round_that(desk: Desk) -> None:
    columns = "entry, request_id, thread_id, task_id, at, event, roles, decision, detail, seen_hash"
    values = "1, 'q', 't', '', 0, 'decided', '[]', '', '{}', ''"
    into = f"INTO orchestration_approval_audit ({columns}) VALUES ({values})"
    change = (
        "TRUNCATE orchestration_approval_audit"
        if isinstance(desk.ledger, PostgresApprovals)
        else f"INSERT OR REPLACE {into}"
    )
    await desk.ask()
    before = await desk.ledger.history()
    with pytest.raises(Exception, match="the approval audit is append-only"):
        await desk.sql(change)
    assert await desk.ledger.history() == before


def test_the_fingerprint_is_of_the_content_not_of_its_order() -> None:
    one: JsonValue = {"a": 1, "b": [{"c": 2, "d": 3}]}
    other: JsonValue = {"b": [{"d": 3, "c": 2}], "a": 1}
    assert seen_hash(one) == seen_hash(other) != seen_hash(json.loads('{"a": 1}'))


# -- whose run it is --------------------------------------------------------------------


async def test_a_run_that_lost_its_thread_asks_nothing(desk: Desk) -> None:
    if desk.ledger is desk.other:
        assert len(await desk.ask(token=7)) == 1  # in memory nobody else can have the thread
        return
    await desk.sql(
        "INSERT INTO orchestration_threads (thread_id, schema_version, run_id, plan, signature, "
        "status, created_at, updated_at, lease_token, lease_expires_at) "
        "VALUES ('t', 2, 'run', '{}', '', 'running', 0, 0, 3, 0)"
    )
    with pytest.raises(LeaseLostError):
        await desk.ask(token=2)
    with pytest.raises(LeaseLostError):
        await desk.ask(token=3, thread_id="unknown")
    assert await desk.pending() == []
    await desk.ask(token=3)
    assert await desk.pending() == ["q"]

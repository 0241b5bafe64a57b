"""What runs around calls of agents in workflows: cache, context, layers of one's own, figures."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nodes.middleware import AgentCall, Proceed, Reply
from orchestration import (
    AgentContext,
    AgentRefusedError,
    AgentRegistry,
    AgentSpec,
    AgentTask,
    Budget,
    CachePolicy,
    ConfigurationError,
    Endpoint,
    Optimizer,
    PlanError,
    RegistrationError,
    Repeat,
    SimpleCoordinator,
    WorkflowResult,
)

ASKED = {"messages": [{"role": "user", "content": "When does the game start?"}]}


class Desk:
    """A coordinator with an agent that looks things up and one that acts; both count calls."""

    def __init__(self, optimizer: Optimizer | None) -> None:
        self.calls: list[AgentContext] = []
        self.called = asyncio.Event()
        self.inputs: list[dict[str, Any]] = []
        self.gate: asyncio.Event | None = None
        self.failures = 0
        self.agents = AgentRegistry()
        self.hire("facts", read_only=True)
        self.hire("shop")
        self.optimizer = optimizer
        self.runs = SimpleCoordinator(
            registry=self.agents, optimizer=optimizer, database_url="memory://"
        )

    def hire(self, agent_id: str, **options: Any) -> None:  # noqa: ANN401  of `AgentSpec`
        self.agents.register(AgentSpec(agent_id, handler=self.work, **options))

    async def work(self, input_data: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        self.calls.append(context)
        self.called.set()
        self.inputs.append(input_data)
        number = len(self.calls)
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise AgentRefusedError("not today")
        usage = {"input_tokens": 10, "output_tokens": 5}
        return {"content": f"answer {number}", "usage": usage}

    async def ask(self, agent: str = "facts", **options: Any) -> WorkflowResult:  # noqa: ANN401  of runs
        task = AgentTask(agent, options.pop("given", ASKED), cache=options.pop("cache", None))
        return await self.runs.execute_sequential([task], **options)


def verdict(result: WorkflowResult, name: str = "cache", task: int = 0) -> Any:  # noqa: ANN401  JSON
    return result[task].middleware.get(name)


async def test_the_same_question_is_answered_from_the_cache() -> None:
    desk = Desk(Optimizer())
    first, second = await desk.ask(), await desk.ask()
    assert len(desk.calls) == 1
    assert first[0].output == second[0].output
    assert verdict(first)["verdict"] == "miss"
    assert verdict(second)["verdict"] == "hit"
    assert "age_seconds" in verdict(second)
    assert (second[0].agent, second[0].version) == ("facts", "1")


async def test_a_hit_uses_no_tokens_costs_nothing_and_is_no_call() -> None:
    desk = Desk(Optimizer())
    desk.hire("dear", read_only=True, cost=1)
    first, second = await desk.ask("dear"), await desk.ask("dear")
    assert (first.cost, second.cost) == (1, 0)
    assert (first[0].usage is None, second[0].usage is None) == (False, True)
    (total,) = await desk.runs.costs()
    assert (total.calls, total.cost) == (1, 1)


async def test_an_agent_that_acts_is_never_answered_for() -> None:
    desk = Desk(Optimizer())
    for _ in range(2):
        result = await desk.ask("shop")
        assert verdict(result) == {"verdict": "bypass", "why": "agent 'shop' is not read-only"}
    assert len(desk.calls) == 2


@pytest.mark.parametrize("action", ["purchase_tickets", "Purchase Tickets", "ticket_purchase"])
async def test_a_purchase_is_never_cached_though_its_agent_claims_to_be_read_only(
    action: str,
) -> None:
    desk = Desk(Optimizer())
    for _ in range(2):
        result = await desk.ask(given={"action": action, "quantity": 2})
        assert "changes something" in verdict(result)["why"]
    assert len(desk.calls) == 2


@pytest.mark.parametrize("action", ["Purchase Tickets", " buy-tickets", "CANCEL_ORDER"])
async def test_a_purchase_is_never_cached_however_it_is_written(action: str) -> None:
    desk = Desk(Optimizer())
    for _ in range(2):
        result = await desk.ask(given={"action": action})
        assert verdict(result)["verdict"] == "bypass"
    assert len(desk.calls) == 2


@pytest.mark.parametrize("capability", ["ticket_purchase", "expense_approval"])
async def test_what_can_only_act_is_never_cached_whoever_declares_it_read_only(
    capability: str,
) -> None:
    desk = Desk(Optimizer())
    desk.hire("bold", read_only=True, capabilities=[capability])
    for _ in range(2):
        task = AgentTask(capability=capability, input_data=ASKED)
        result = await desk.runs.execute_sequential([task])
        assert "changes something" in verdict(result)["why"]
    assert len(desk.calls) == 2
    with pytest.raises(PlanError, match=f"whatever '{capability}' is asked for changes something"):
        await desk.runs.execute_sequential(
            [AgentTask(capability=capability, input_data=ASKED, cache=True)]
        )


async def test_a_task_cannot_declare_a_purchase_read_only() -> None:
    desk = Desk(Optimizer())
    with pytest.raises(PlanError, match="'purchase_tickets' changes something"):
        await desk.ask("shop", given={"action": "purchase_tickets"}, cache=True)
    assert desk.calls == []


async def test_a_task_can_declare_itself_read_only_without_any_optimizer_given() -> None:
    desk = Desk(None)
    tag = {"action": f"look_up_{id(desk)}"}
    await desk.ask("shop", given=tag, cache=True)
    result = await desk.ask("shop", given=tag, cache=True)
    assert verdict(result)["verdict"] == "hit"
    assert len(desk.calls) == 1


async def test_without_an_optimizer_nothing_is_cached_that_nobody_asks_for() -> None:
    desk = Desk(None)
    for _ in range(2):
        assert (await desk.ask())[0].middleware == {}
    assert len(desk.calls) == 2


async def test_a_task_or_an_agent_can_switch_the_cache_off() -> None:
    desk = Desk(Optimizer())
    desk.hire("live", read_only=True, cache=False)
    for agent, options in (("facts", {"cache": False}), ("live", {})):
        for _ in range(2):
            result = await desk.ask(agent, **options)
        assert "switched off" in verdict(result)["why"]
    assert len(desk.calls) == 4


async def test_an_approval_is_never_cached() -> None:
    desk = Desk(Optimizer())
    task = AgentTask("facts", ASKED, requires_approval=True)
    for number in range(2):
        waits = await desk.runs.execute_sequential([task], thread_id=f"t{number}")
        assert waits.status == "interrupted"
        done = await desk.runs.resume(f"t{number}", {"facts": "approve"})
        assert verdict(done)["why"] == "the task needs an approval"
    assert len(desk.calls) == 2
    with pytest.raises(PlanError, match="needs an approval"):
        await desk.runs.execute_sequential(
            [AgentTask("facts", ASKED, requires_approval=True, cache=True)]
        )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tenant": "acme"}, {"tenant": "globex"}),
        ({"tenant": "acme"}, {}),
        ({"tenant": "acme", "user": "ann"}, {"tenant": "acme", "user": "bob"}),
    ],
    ids=["tenants", "none", "users"],
)
async def test_nobody_gets_the_answer_of_somebody_else(
    one: dict[str, str], other: dict[str, str]
) -> None:
    desk = Desk(Optimizer())
    await desk.ask(**one)
    result = await desk.ask(**other)
    assert verdict(result)["verdict"] == "miss"
    assert len(desk.calls) == 2


async def test_users_of_a_tenant_share_answers_where_the_policy_says_so() -> None:
    desk = Desk(Optimizer(cache=CachePolicy(scope="tenant")))
    await desk.ask(tenant="acme", user="ann")
    result = await desk.ask(tenant="acme", user="bob")
    assert verdict(result)["verdict"] == "hit"


async def test_agents_of_two_versions_with_same_named_nodes_never_exchange_answers() -> None:
    optimizer = Optimizer()
    desks = [Desk(optimizer), Desk(optimizer)]
    desks[0].hire("facts", read_only=True, version="1")
    desks[1].agents.unregister("facts")
    desks[1].hire("facts", read_only=True, version="2")
    tasks = [AgentTask("facts", ASKED, task_id="node")]
    results = [await desk.runs.execute_sequential(tasks) for desk in desks]
    assert [verdict(each)["verdict"] for each in results] == ["miss", "miss"]
    assert [each[0].version for each in results] == ["1", "2"]
    graphs = [desk.runs.compile(tasks) for desk in desks]
    for graph, version in zip(graphs, ("1", "2"), strict=True):
        done: Any = await graph.ainvoke({})  # type: ignore[call-overload]  # it brings its plan
        assert done["outcomes"]["node"]["version"] == version
    assert [len(desk.calls) for desk in desks] == [1, 1]


async def test_threads_with_two_versions_of_an_agent_never_exchange_answers() -> None:
    desk = Desk(Optimizer())
    desk.agents.unregister("facts")
    for version in ("1", "2"):
        desk.hire("facts", read_only=True, version=version)
    seen: dict[str, set[str]] = {}
    for number in range(40):
        result = await desk.ask(thread_id=f"t{number}")
        seen.setdefault(result[0].version, set()).add(str(result[0].output["content"]))
    assert len(seen) == 2
    assert len(desk.calls) == 2
    assert all(len(answers) == 1 for answers in seen.values())


async def test_an_agent_with_endpoints_is_answered_for_too() -> None:
    desk = Desk(Optimizer())
    places = [Endpoint(endpoint_id=f"e{number}", handler=desk.work) for number in range(2)]
    desk.agents.register(AgentSpec("many", endpoints=places, read_only=True))
    await desk.ask("many")
    result = await desk.ask("many")
    assert verdict(result)["verdict"] == "hit"
    assert result[0].tries == ()
    assert len(desk.calls) == 1


async def test_failures_are_not_cached() -> None:
    desk = Desk(Optimizer())
    desk.failures = 1
    assert (await desk.ask()).status == "failed"
    assert (await desk.ask()).status == "completed"


async def test_an_answer_depends_on_what_came_before_it() -> None:
    desk = Desk(Optimizer())
    for given in ({"order": 1}, {"order": 2}):
        tasks = [AgentTask("shop", given), AgentTask("facts", ASKED)]
        result = await desk.runs.execute_sequential(tasks)
        assert verdict(result, task=1)["verdict"] == "miss"


async def test_a_loop_gets_a_new_answer_each_turn_unless_its_task_says_otherwise() -> None:
    desk = Desk(Optimizer())
    for _ in range(2):
        loop = Repeat([AgentTask("facts", ASKED)], until="turn == 3", max_turns=5)
        result = await desk.runs.execute_sequential([loop])
        assert "in turns" in str(result[0].tasks[0].middleware["cache"]["why"])
    assert len(desk.calls) == 6
    for _ in range(2):
        loop = Repeat([AgentTask("facts", ASKED, cache=True)], until="turn == 3", max_turns=5)
        await desk.runs.execute_sequential([loop])
    assert len(desk.calls) == 9  # each turn sees the one before it


async def test_two_hundred_at_once_make_one_call_and_the_first_may_be_cancelled() -> None:
    desk = Desk(Optimizer())
    desk.gate = asyncio.Event()
    runs = [asyncio.create_task(desk.ask()) for _ in range(200)]
    await desk.called.wait()
    runs[0].cancel()
    await asyncio.wait([runs[0]])
    desk.gate.set()
    results = await asyncio.gather(*runs[1:])
    assert {each.status for each in results} == {"completed"}
    assert len(desk.calls) == 1


async def test_an_error_reaches_all_who_wait_for_it() -> None:
    desk = Desk(Optimizer())
    desk.gate, desk.failures = asyncio.Event(), 1
    runs = [asyncio.create_task(desk.ask()) for _ in range(20)]
    await desk.called.wait()
    desk.gate.set()
    results = await asyncio.gather(*runs)
    assert {each.status for each in results} == {"failed"}
    assert {each[0].error["code"] for each in results if each[0].error} == {"agent_refused"}
    assert len(desk.calls) == 1


async def test_a_stale_answer_is_given_while_a_new_one_is_fetched_apart_from_the_run() -> None:
    policy = CachePolicy(ttl=timedelta(microseconds=1), stale_while_revalidate=timedelta(hours=1))
    optimizer = Optimizer(cache=policy)
    desk = Desk(optimizer)
    await desk.ask()
    desk.called.clear()
    result = await desk.ask()
    assert verdict(result)["verdict"] == "stale"
    assert result[0].output["content"] == "answer 1"
    await desk.called.wait()
    assert len(desk.calls) == 2
    assert [*result[0].middleware] == ["cache"]


async def test_an_old_answer_in_place_of_a_call_that_failed_is_a_call_all_the_same() -> None:
    policy = CachePolicy(ttl=timedelta(microseconds=1), stale_if_error=timedelta(hours=1))
    desk = Desk(Optimizer(cache=policy))
    calls = 0

    async def flaky(_: dict[str, Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise ConnectionError("the line is dead")
        return {"content": "old", "usage": {"input_tokens": 10, "output_tokens": 5}}

    places = [Endpoint(endpoint_id="e", handler=flaky)]
    desk.agents.register(AgentSpec("flaky", endpoints=places, read_only=True))
    options: Any = {"tenant": "acme", "budget": Budget(attempts=3, per="tenant")}
    results = [await desk.ask("flaky", **options) for _ in range(4)]
    assert [str(each.status) for each in results] == ["completed"] * 3 + ["failed"]
    assert calls == 3
    stale = results[1]
    assert verdict(stale)["verdict"] == "stale"
    assert verdict(stale)["called"] is True
    assert [each.get("error") for each in stale[0].tries] == ["agent_raised"]
    assert stale[0].usage is None


async def test_an_answer_that_lacked_context_is_not_kept() -> None:
    optimizer = Optimizer()
    desk = Desk(optimizer)
    failures = [ConnectionError("no route")]

    async def profile(user_id: str) -> str:
        if failures:
            raise failures.pop()
        return user_id

    optimizer.register_context("profile", profile)
    desk.hire("advice", read_only=True, context=["profile"])
    result = await desk.ask("advice", user="ann")
    assert verdict(result, "context")["verdict"] == "degraded"
    result = await desk.ask("advice", user="ann")
    assert (verdict(result)["verdict"], desk.inputs[-1]["context"]) == ("miss", {"profile": "ann"})
    assert verdict(await desk.ask("advice", user="ann"))["verdict"] == "hit"


async def test_what_a_version_says_of_its_calls_counts_for_its_own_only() -> None:
    desk = Desk(Optimizer(cache=False))
    desk.agents.unregister("facts")
    desk.hire("facts", read_only=True, version="1", cache=True, compress_to=1000)
    desk.hire("facts", read_only=True, version="2", cache=False)
    seen: dict[str, set[str]] = {}
    for number in range(12):
        result = await desk.ask(thread_id=f"t{number}")
        seen.setdefault(result[0].version, set()).add(str(verdict(result)["verdict"]))
    assert seen == {"1": {"miss", "hit"}, "2": {"bypass"}}


async def test_more_tokens_than_there_can_be_spoil_no_call() -> None:
    desk = Desk(Optimizer(compress_to=100))

    async def boast(_: dict[str, Any]) -> dict[str, Any]:
        return {"content": "x", "usage": {"input_tokens": 10**18, "output_tokens": 1}}

    desk.agents.register(AgentSpec("boast", handler=boast))
    result = await desk.ask("boast", budget=Budget(tokens=5))
    assert result.status == "completed"
    assert result[0].usage == {"input_tokens": 10**12, "output_tokens": 1}


async def test_invalidated_answers_are_given_anew(tmp_path: Path) -> None:
    async with Optimizer(cache_url=f"sqlite:///{tmp_path / 'cache.db'}") as optimizer:
        desk = Desk(optimizer)
        await desk.ask()
        assert await optimizer.invalidate(agent_id="facts", version="1") == 1
        assert verdict(await desk.ask())["verdict"] == "miss"


async def test_context_is_fetched_while_earlier_agents_work_and_joined_where_it_is_wanted() -> None:
    optimizer = Optimizer()
    desk = Desk(optimizer)
    fetched: list[tuple[str, str | None]] = []
    desk.gate = asyncio.Event()

    async def profile(user_id: str, tenant: str | None) -> dict[str, str]:
        fetched.append((user_id, tenant))
        assert desk.gate is not None
        desk.gate.set()  # the first agent answers only once this has begun
        return {"name": user_id.title()}

    optimizer.register_context("profile", profile)
    tasks = [AgentTask("shop"), AgentTask("shop", {"n": 2}, task_id="b", context=["profile"])]
    options: Any = {"user": "ann", "tenant": "acme"}
    result = await desk.runs.execute_sequential(tasks, **options)
    assert fetched == [("ann", "acme")]
    assert "context" not in desk.inputs[0]
    assert desk.inputs[1] == {"n": 2, "context": {"profile": {"name": "Ann"}}}
    assert verdict(result, "context", 1) == {"verdict": "joined", "joined": ["profile"]}
    await desk.runs.execute_sequential(tasks, **options)
    assert len(fetched) == 1


async def test_a_source_that_fails_degrades_the_task_with_a_note() -> None:
    optimizer = Optimizer()
    desk = Desk(optimizer)

    async def profile(_user_id: str) -> None:
        raise ConnectionError("no route")

    optimizer.register_context("profile", profile)
    desk.hire("clerk", context=["profile"])
    result = await desk.ask("clerk", user="ann")
    assert result.status == "completed"
    assert verdict(result, "context")["verdict"] == "degraded"
    assert "no route" in verdict(result, "context")["missing"]["profile"]
    result = await desk.ask("clerk")
    assert verdict(result, "context")["missing"] == {"profile": "the run has no user"}


async def test_context_is_cancelled_with_its_run() -> None:
    optimizer = Optimizer()
    desk = Desk(optimizer)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(_user_id: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    optimizer.register_context("slow", slow)
    desk.gate = asyncio.Event()
    tasks = [AgentTask("shop"), AgentTask("shop", task_id="b", context=["slow"])]
    run = asyncio.create_task(desk.runs.execute_sequential(tasks, user="ann"))
    await begun.wait()
    run.cancel()
    await asyncio.wait([run])
    async with asyncio.timeout(10):
        await ended.wait()


async def test_a_source_that_nobody_registered_is_refused_before_anything_happens() -> None:
    desk = Desk(Optimizer())
    with pytest.raises(PlanError, match="no context source 'profile'; none is registered"):
        await desk.runs.execute_sequential([AgentTask("shop", context=["profile"])], user="ann")
    assert desk.calls == []


async def test_answers_with_a_users_context_stay_with_the_user() -> None:
    optimizer = Optimizer(cache=CachePolicy(scope="tenant"))
    desk = Desk(optimizer)
    optimizer.register_context("profile", lambda user_id: user_id)
    desk.hire("advice", read_only=True, context=["profile"])
    await desk.ask("advice", user="ann")
    result = await desk.ask("advice", user="bob")
    assert verdict(result)["verdict"] == "miss"


class Stamp:
    """A layer that notes what passes, and marks the input."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[list[str]] = []

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        self.seen.append([*call.verdicts])
        call.tell(self.name, {"seen": len(self.seen)})
        return await proceed(call.with_input({**call.input, self.name: True}))


async def test_layers_of_ones_own_stand_before_the_cache_or_around_real_calls() -> None:
    before, around = Stamp("before"), Stamp("around")
    desk = Desk(Optimizer(middleware=[before], around_calls=[around]))
    await desk.ask()
    result = await desk.ask()
    assert (len(before.seen), len(around.seen)) == (2, 1)
    assert desk.inputs == [{**ASKED, "before": True, "around": True}]
    assert [*result[0].middleware] == ["before", "cache"]


async def test_a_layer_may_refuse_a_call() -> None:
    class Guard:
        name = "guard"

        async def __call__(self, _call: AgentCall, _proceed: Proceed) -> Reply:
            raise AgentRefusedError("not on Sundays")

    desk = Desk(Optimizer(middleware=[Guard()]))
    result = await desk.ask("shop")
    assert result[0].error is not None
    assert result[0].error["message"] == "not on Sundays"
    assert desk.calls == []


async def test_calls_of_runs_are_measured() -> None:
    optimizer = Optimizer()
    desk = Desk(optimizer)
    for _ in range(4):
        await desk.ask()
    desk.failures = 1
    await desk.ask("shop")
    stats = optimizer.get_performance_stats()
    assert stats["total_requests"] == 5
    assert stats["cache_hit_rate"] == 0.75
    assert stats["tokens_saved"] == 45
    assert stats["total_tokens"] == 15
    assert stats["error_rate"] == 0.2
    assert stats["p95_response_time_ms"] > 0
    assert {*stats["by_agent"]} == {"facts", "shop"}


async def test_budgets_of_the_optimizer_hold_for_every_run_and_hits_are_no_calls() -> None:
    budgets = [Budget(attempts=3, per="thread"), Budget(cost=9, per="tenant")]
    desk = Desk(Optimizer(budgets=budgets))
    same = [AgentTask("facts", ASKED, task_id=f"t{n}") for n in range(3)]
    result = await desk.runs.execute_parallel(same, thread_id="t")  # they share one call
    assert result.status == "completed"
    assert len(desk.calls) == 1
    others = [AgentTask("shop", task_id=f"t{n}") for n in range(3)]
    result = await desk.runs.execute_parallel(others, thread_id="t")
    assert result.status == "partial"
    assert len(desk.calls) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cache": 5}, "cache is 5"),
        ({"cache": CachePolicy(ttl=timedelta(0))}, "ttl is 0"),
        ({"compress_to": 0}, "compress_to is 0"),
        ({"budgets": [Budget()]}, "limits nothing"),
        ({"budgets": [3]}, "budgets has 3"),
        ({"middleware": [Stamp("cache")]}, "has the name 'cache'"),
        ({"middleware": [Stamp("a")], "around_calls": [Stamp("a")]}, "has the name 'a'"),
        ({"middleware": [3]}, "has the name None"),
        ({"counter": 3}, "counter is 3; give a function"),
        ({"retriever": "handbook"}, "retriever is 'handbook'; give a LangChain retriever"),
        ({"retriever": {"words": 3}}, "retriever is 3; give"),
    ],
)
def test_an_optimizer_that_cannot_be_is_refused(options: Any, words: str) -> None:  # noqa: ANN401  what nobody should give
    with pytest.raises(ConfigurationError, match=words):
        Optimizer(**options)


def test_a_coordinator_refuses_what_is_no_optimizer() -> None:
    with pytest.raises(ConfigurationError, match="optimizer is True; give an Optimizer, or None"):
        SimpleCoordinator(optimizer=True)  # type: ignore[arg-type]


async def test_an_optimizer_takes_a_single_budget_too() -> None:
    desk = Desk(Optimizer(budgets=Budget(attempts=1)))
    result = await desk.runs.execute_parallel([AgentTask("shop", task_id=each) for each in "ab"])
    assert result.status == "partial"
    assert len(desk.calls) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cache": True}, "not read_only"),
        ({"cache": "yes", "read_only": True}, "cache is 'yes'"),
        ({"compress_to": 0}, "compress_to is 0"),
        ({"context": "profile"}, "context is 'profile'"),
    ],
)
def test_an_agent_that_says_what_cannot_be_is_refused(options: Any, words: str) -> None:  # noqa: ANN401  what nobody should give
    with pytest.raises(RegistrationError, match=words):
        AgentSpec("x", handler=print, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cache": 1.5}, "cache is 1.5"),
        ({"compress_to": -1}, "compress_to is -1"),
        ({"context": [1]}, "context is"),
    ],
)
async def test_a_task_that_says_what_cannot_be_is_refused(options: Any, words: str) -> None:  # noqa: ANN401  what nobody should give
    desk = Desk(Optimizer())
    with pytest.raises(PlanError, match=words):
        await desk.runs.execute_sequential([AgentTask("shop", **options)])


async def test_verdicts_stand_in_the_stream_where_they_were_found() -> None:
    desk = Desk(Optimizer())
    tasks = [AgentTask("facts", ASKED), AgentTask("shop")]
    seen = []
    for _ in range(2):
        told = [event async for event in desk.runs.stream(tasks)]
        assert [event.sequence for event in told] == list(range(1, len(told) + 1))
        seen.append([(e.kind, e.task_id, e.data.get("verdict")) for e in told][1:-1])
    assert seen[0] == [
        ("task_started", "facts", None),
        ("verdict", "facts", "miss"),
        ("task_finished", "facts", None),
        ("task_started", "shop", None),
        ("verdict", "shop", "bypass"),
        ("task_finished", "shop", None),
    ]
    assert seen[1][1] == ("verdict", "facts", "hit")


async def test_who_waits_for_the_call_of_another_is_told_no_pieces_of_it() -> None:
    desk = Desk(Optimizer())

    async def speak(_: dict[str, Any], context: AgentContext) -> dict[str, Any]:
        desk.called.set()
        context.emit("At ")
        assert desk.gate is not None
        await desk.gate.wait()
        context.emit("seven.")
        return {"content": "At seven."}

    desk.agents.register(AgentSpec("speaker", handler=speak, read_only=True))
    desk.gate = asyncio.Event()

    async def text_of_a_run() -> list[str]:
        told = desk.runs.stream([AgentTask("speaker", ASKED)])
        return [str(each.data["text"]) async for each in told if each.kind == "token"]

    first = asyncio.create_task(text_of_a_run())
    await desk.called.wait()
    second = asyncio.create_task(text_of_a_run())
    for _ in range(200):
        await asyncio.sleep(0)
    desk.gate.set()
    assert await first == ["At ", "seven."]
    assert await second == []

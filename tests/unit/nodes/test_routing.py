from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from state.errors import PlanError, RoutingError
from state.status import TaskStatus, WorkflowStatus
from state.task import AgentTask

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

Input = dict[str, Any]


class Team:
    """Three agents on a bench that note who was called."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.called: list[str] = []
        for name in ("a", "b", "c"):
            bench.hire(**{name: self._agent(name)})

    def _agent(self, name: str) -> object:
        async def agent(given: Input) -> Input:
            await asyncio.sleep(0)
            self.called.append(name)
            return {"by": name, **given}

        return agent

    async def route(self, router: object, *tasks: AgentTask, **wishes: Any) -> Any:  # noqa: ANN401
        chosen = tasks or (AgentTask("a", {"word": "tickets"}), AgentTask("b"), AgentTask("c"))
        return await self.bench.run(*chosen, strategy="conditional", router=router, **wishes)


def pick_by_word(given: Input) -> str:
    return {"tickets": "b", "money": "c"}[given["word"]]


@pytest.mark.parametrize(
    "router",
    [
        pick_by_word,
        lambda: "b",
        "input.word == 'tickets' ? 'b' : 'c'",
        {"input.word == 'money'": "c", "has(input.word)": "b", "true": "a"},
    ],
    ids=["callable", "callable of nothing", "CEL", "map"],
)
async def test_the_router_picks_who_runs(bench: Bench, router: object) -> None:
    team = Team(bench)
    result = await team.route(router)
    assert team.called == ["b"]
    assert [str(task.status) for task in result] == ["skipped", "succeeded", "skipped"]
    assert result["a"].reason == result["c"].reason == "the router chose 'b'"
    assert result.status == WorkflowStatus.COMPLETED
    assert sorted(bench.told) == [("a", "skipped"), ("b", "succeeded"), ("c", "skipped")]


async def test_the_router_may_be_given_its_own_input(bench: Bench) -> None:
    team = Team(bench)
    await team.route(pick_by_word, router_input={"word": "money"})
    assert team.called == ["c"]


@pytest.mark.parametrize("answer", ["second", "b"])
async def test_the_router_names_a_task_or_the_first_for_an_agent(bench: Bench, answer: str) -> None:
    team = Team(bench)
    tasks = [
        AgentTask("a"),
        AgentTask("b", {"n": 1}, task_id="second"),
        AgentTask("b", task_id="third"),
    ]
    result = await team.route(lambda: answer, *tasks)
    assert result.outputs == {"second": {"by": "b", "n": 1}}


async def test_a_task_id_goes_before_an_agent(bench: Bench) -> None:
    team = Team(bench)
    await team.route(lambda: "a", AgentTask("a", task_id="x"), AgentTask("b", task_id="a"))
    assert team.called == ["b"]


@pytest.mark.parametrize(
    ("router", "words"),
    [
        (lambda: "nobody", "returned 'nobody'; it must return one of"),
        (lambda: None, "returned None, a NoneType"),
        (lambda: ["a"], "returned \\['a'\\], a list"),
        (pick_by_word, "pick_by_word raised KeyError"),
        ("input.other", "there is no 'other'"),
        ("1", "returned 1, a int"),
        ({"false": "a"}, "no case of the router map holds"),
        ({"input.other > 1": "a", "true": "b"}, "there is no 'other'"),
    ],
)
async def test_a_router_that_picks_nobody_is_an_error_before_any_agent_is_called(
    bench: Bench, router: object, words: str
) -> None:
    team = Team(bench)
    with pytest.raises(RoutingError, match=words) as caught:
        await team.route(router, AgentTask("a", {"word": "weather"}), AgentTask("b"))
    assert isinstance(caught.value, PlanError)
    assert len(caught.value.problems) == 1
    assert team.called == []


async def test_the_chosen_task_may_turn_out_not_to_be_needed(bench: Bench) -> None:
    team = Team(bench)
    result = await team.route(lambda: "a", AgentTask("a", condition="false"), AgentTask("b"))
    assert (team.called, result.status) == ([], WorkflowStatus.COMPLETED)


async def test_dependencies_of_the_chosen_task_do_not_keep_it_back(bench: Bench) -> None:
    team = Team(bench)
    result = await team.route(lambda: "b", AgentTask("a"), AgentTask("b", depends_on=["a"]))
    assert (team.called, result["b"].status) == (["b"], TaskStatus.SUCCEEDED)


async def test_the_chosen_task_may_need_approval(bench: Bench) -> None:
    team = Team(bench)
    tasks = [AgentTask("a"), AgentTask("b", requires_approval=True, condition="true")]
    result = await team.route(lambda: "b", *tasks)
    assert (result.status, team.called) == (WorkflowStatus.INTERRUPTED, [])
    result = await bench.answer(b={"decisions": [{"type": "approve"}]})
    assert (result.status, team.called) == (WorkflowStatus.COMPLETED, ["b"])


async def test_the_aggregation_sees_only_the_chosen(bench: Bench) -> None:
    result = await Team(bench).route(lambda: "b", aggregate="collect")
    assert result.aggregate == {"b": {"by": "b"}}


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no words")


async def test_an_answer_that_cannot_be_printed_is_a_routing_error(bench: Bench) -> None:
    with pytest.raises(RoutingError):
        await Team(bench).route(Unprintable)


async def test_a_router_may_spell_a_capability_as_it_likes(bench: Bench) -> None:
    team = Team(bench)
    bench.agents.unregister("b")
    from orchestration import AgentSpec  # noqa: PLC0415

    bench.agents.register(AgentSpec("b", ["ticket_purchase"], handler=team._agent("b")))
    tasks = [AgentTask("a"), AgentTask(capability="Ticket Purchase")]
    await team.route(lambda: "ticket_purchase", *tasks)
    assert team.called == ["b"]

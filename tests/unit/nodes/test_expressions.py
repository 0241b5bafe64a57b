from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.expressions import ExpressionError, evaluate, expression_problem
from state.outcome import Outcome, skipped
from state.plan_document import CallableDocument, CelDocument
from state.status import SkipCause, TaskStatus, WorkflowStatus
from state.task import AgentTask, Condition

if TYPE_CHECKING:
    from tests.unit.nodes.conftest import Bench

OUTCOMES = {
    "ticketing": Outcome(status="succeeded", attempts=1, output={"total_price": 6000, "ids": [1]}),
    "finance": Outcome(
        status="failed",
        attempts=2,
        error={"code": "agent_refused", "type": "AgentRefusedError", "message": "over budget"},
    ),
    "sales": skipped("why", because=SkipCause.UPSTREAM),
}


def cel(expression: str) -> object:
    document: CelDocument = {"kind": "cel", "expression": expression}
    return evaluate(
        document, outcomes=OUTCOMES, input_data={"amount": 5}, argument=None, callables={}
    )


def call(function: Callable[..., object] | None, *, takes_argument: bool = False) -> object:
    document: CallableDocument = {
        "kind": "callable",
        "key": "run/condition/a",
        "name": "expensive",
        "takes_argument": takes_argument,
    }
    callables = {} if function is None else {"run/condition/a": function}
    return evaluate(
        document, outcomes=OUTCOMES, input_data={}, argument=OUTCOMES, callables=callables
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("outputs.ticketing.total_price > 5000", True),
        ("outputs.ticketing.total_price > 6000.5", False),
        ("has(outputs.finance)", False),
        ("has(outputs.finance) && outputs.finance.x > 1", False),
        ("outcomes.finance.status == 'failed' && outcomes.finance.attempts == 2", True),
        ("outcomes.finance.error.code", "agent_refused"),
        ("outcomes.sales.because == 'upstream'", True),
        ("1 in outputs.ticketing.ids", True),
        ("outputs.ticketing.ids.exists(id, id > 0)", True),
        ("input.amount + 1", 6),
        ("outputs['ticketing'].total_price == 6000", True),
    ],
)
def test_cel_sees_outputs_outcomes_and_input(expression: str, value: object) -> None:
    assert expression_problem(expression) is None
    assert cel(expression) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("outputs.nobody.x > 1", "there is no 'nobody'"),
        ("outputs.ticketing.x > 1", "there is no 'x'"),
        ("input.amount / 0", "division by zero"),
        ("input.amount + 'x'", "overload"),
        ("foo(1)", "Undefined"),
        ("9223372036854775807 + input.amount", "overflow"),
        ("int('x')", "parse"),
        ("outputs.ticketing.ids[7]", "7"),
    ],
)
def test_cel_that_cannot_answer_says_why(expression: str, words: str) -> None:
    assert expression_problem(expression) is None
    with pytest.raises(ExpressionError) as caught:
        cel(expression)
    assert words in str(caught.value)
    assert expression in str(caught.value)


@pytest.mark.parametrize("expression", ["", " ", "1 +", "'open", "(", "a.b", "outputs.my-task.x"])
def test_bad_cel_is_a_problem_before_anything_runs(expression: str) -> None:
    assert expression_problem(expression)


@given(st.text(max_size=30))
def test_any_text_either_has_a_problem_or_answers_or_says_why(text: str) -> None:
    if expression_problem(text) is None:
        try:
            cel(text)
        except ExpressionError as error:
            assert str(error)  # noqa: PT017  both ends are fine


def test_a_callable_gets_the_outcomes_or_nothing() -> None:
    assert call(lambda: 7) == 7
    assert call(lambda known: known["ticketing"]["output"], takes_argument=True) == {
        "total_price": 6000,
        "ids": [1],
    }


async def later() -> bool:
    return True


def stumble() -> bool:
    raise KeyError("total_price")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (stumble, "expensive raised KeyError: 'total_price'"),
        (later, "expensive is asynchronous"),
        (None, "expensive is not in this process"),
    ],
)
def test_a_callable_that_cannot_answer_says_why(
    function: Callable[..., object] | None, words: str
) -> None:
    with pytest.raises(ExpressionError, match=words):
        call(function)


async def agent(_input: dict[str, Any]) -> dict[str, Any]:
    return {"price": 7}


@pytest.mark.parametrize("strategy", ["sequential", "parallel"])
@pytest.mark.parametrize("condition", ["outputs.nobody.x > 1", stumble, later])
async def test_a_condition_that_cannot_answer_fails_its_task(
    bench: Bench,
    condition: Condition,
    strategy: str,
) -> None:
    bench.hire(a=agent, b=agent)
    tasks = [AgentTask("a", condition=condition), AgentTask("b", depends_on=["a"])]
    result = await bench.run(*tasks, strategy=strategy)
    assert result["a"].error is not None
    assert (result["a"].status, result["a"].attempts) == (TaskStatus.FAILED, 0)
    assert result["a"].error["code"] == "condition_failed"
    assert result["b"].status == TaskStatus.SKIPPED
    assert "'a' did not succeed" in result["b"].reason
    assert result.status == WorkflowStatus.FAILED


@pytest.mark.parametrize("condition", ["1 > 2", lambda: False, lambda known: len(known) > 5])
async def test_a_false_condition_skips_its_task_and_blocks_nobody(
    bench: Bench,
    condition: Condition,
) -> None:
    bench.hire(a=agent, b=agent)
    result = await bench.run(AgentTask("a", condition=condition), AgentTask("b"))
    assert result["a"].status == TaskStatus.SKIPPED
    assert "its condition is false" in result["a"].reason
    assert result["b"].status == TaskStatus.SUCCEEDED
    assert result.status == WorkflowStatus.COMPLETED


class Ambiguous:
    """Like an array of numbers."""

    def __bool__(self) -> bool:
        raise ValueError("which of them?")


async def test_an_answer_that_is_neither_true_nor_false_fails_its_task(bench: Bench) -> None:
    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", condition=Ambiguous))
    assert result["a"].status == TaskStatus.FAILED


async def test_a_cel_condition_that_is_no_boolean_does_not_count_as_true(bench: Bench) -> None:
    bench.hire(a=agent)
    result = await bench.run(AgentTask("a", {"wanted": "false"}, condition="input.wanted"))
    assert result["a"].status != TaskStatus.SUCCEEDED


async def test_a_condition_cannot_change_what_is_known(bench: Bench) -> None:
    def forget(known: Mapping[str, Any]) -> bool:
        assert isinstance(known, dict)
        known.clear()
        return True

    bench.hire(a=agent, b=agent)
    result = await bench.run(AgentTask("a"), AgentTask("b", condition=forget))
    assert result["a"].status == TaskStatus.SUCCEEDED

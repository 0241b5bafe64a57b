from __future__ import annotations

import copy
import pickle
import re

import pytest

import graph.draw
import graph.picture
import nodes.run_handle
import state.errors
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentFileError,
    AgentNotFoundError,
    AgentNotStartedError,
    AgentOverloadedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    AgentUnavailableError,
    AlreadyDecidedError,
    AmbiguousRequestError,
    BadSequenceError,
    BatchConflictError,
    BudgetExceededError,
    CacheError,
    CacheUnreachableError,
    CallableLostError,
    CompressionError,
    ConfigurationError,
    DatabaseError,
    DecisionError,
    DiscoveryError,
    DrainedError,
    EncryptionError,
    EventsGoneError,
    FileProblem,
    ForkError,
    HandoffError,
    InvalidFileError,
    LeaseLostError,
    MetricsError,
    MigrationError,
    NewerPlanError,
    NotAllowedError,
    OrchestrationError,
    OutOfTurnsError,
    PlanError,
    Problem,
    PromptTooLongError,
    RegistrationError,
    RequestNotFoundError,
    RetentionError,
    RetrievalError,
    RetrievalFailedError,
    RoutingError,
    SharedCallError,
    SignalError,
    StreamError,
    SupervisorError,
    ThreadBusyError,
    ThreadError,
    ThreadExistsError,
    ThreadFinishedError,
    ThreadNotFoundError,
    ThreadPendingError,
    ToolBackendError,
    ToolCallError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
    TurnError,
    UnknownReplyError,
    UnknownSignalError,
    UnknownSourceError,
    UpgradeError,
    WorkflowConflictError,
    WorkflowFileError,
    WorkflowNotFoundError,
)
from state.jsonvalue import NotJsonError

PROBLEMS = [Problem("no_tasks", "there are no tasks"), Problem("cycle", "a -> a", "a")]
EXAMPLES: list[OrchestrationError] = [
    OrchestrationError("something"),
    PlanError(PROBLEMS),
    RoutingError(PROBLEMS[:1]),
    AgentError("broken"),
    AgentRefusedError("only 3 seats are left"),
    AgentTimeoutError("too slow"),
    UnknownReplyError("a list"),
    AgentNotStartedError("nothing listens there", retry_after=2.5),
    AgentRateLimitedError("30 calls a minute", retry_after=12),
    AgentOverloadedError("8 wait already"),
    AgentAuthError("no token"),
    AgentUnavailableError("all breakers are open", retry_after=10),
    BudgetExceededError(["the run has used 3 of 3 calls"]),
    TurnError("stuck"),
    MigrationError("t1", ["'a' is not mentioned"]),
    UpgradeError("t1", "purchase", old="1", new="2", differences=["- task 'a': removed"]),
    OutOfTurnsError("10 turns"),
    HandoffError("to nobody"),
    SupervisorError("silent"),
    AgentNotFoundError("sales", {"hr", "finance"}),
    RegistrationError("no handler"),
    WorkflowConflictError("purchase", "2", ["a.yaml", "b.yaml"]),
    WorkflowFileError("a.yaml", [FileProblem("a.yaml", 3, 7, "tasks[0].retry", "is wrong")]),
    InvalidFileError("a.yaml", [FileProblem("a.yaml", None, None, "", "is empty")]),
    AgentFileError("agents.yaml", [FileProblem("agents.yaml", 3, 7, "agents[0]", "is wrong")] * 2),
    DiscoveryError("no such name"),
    WorkflowNotFoundError("purchase", ["onboarding 1"], ["a.yaml"]),
    ThreadError("t1", "broken"),
    ThreadNotFoundError("t1", ["t2"]),
    ThreadBusyError("t1", "host:42", 1_800_000_000.5),
    ThreadPendingError("t1"),
    ThreadFinishedError("t1", "completed"),
    DrainedError("t1"),
    LeaseLostError("t1"),
    NewerPlanError("t1", 99, 2),
    DecisionError("t1", "'maybe' is no answer"),
    AlreadyDecidedError(
        "t1",
        "pay",
        status="lapsed",
        decided_by="ann",
        decided_at=1.5,
        decision="approve",
        asked_anew="r2",
    ),
    SignalError("t1", "its id was used before"),
    UnknownSignalError("t1", "piad", ["paid"]),
    ForkError("no such moment"),
    NotAllowedError("t1", "bob asked for it", reason="requester"),
    RequestNotFoundError("abc", ["def"]),
    RetentionError("t1", "it exists already"),
    AmbiguousRequestError("abc", ["abcd", "abce"]),
    CallableLostError("t1", ["the router"]),
    StreamError("t1", "it cannot be read"),
    BadSequenceError("t1", 9, 3),
    EventsGoneError("t1", 2, 7),
    ThreadExistsError("t1"),
    BatchConflictError("b:1", ["tasks"]),
    ToolError("it is broken"),
    ToolBackendError("it answered for one of two"),
    ToolCallError("5 is no call"),
    ToolNotFoundError("weather", ["stock"]),
    ToolTimeoutError(2.5, begun=False),
    UnknownSourceError(["profile"], ["orders"]),
    MetricsError("tokens are -1"),
    CacheError("no such scheme"),
    CacheUnreachableError("nobody answers"),
    SharedCallError("KeyError: x"),
    CompressionError("0 tokens"),
    PromptTooLongError(10, 25),
    DatabaseError("cannot open it"),
    EncryptionError("no key opens it"),
    ConfigurationError("no number"),
    RetrievalError("no words"),
    RetrievalFailedError(["retriever 'a' failed", "retriever 'b' did not answer in time"]),
    nodes.run_handle.NoRunHandleError("nobody serves it"),
    graph.picture.DrawingError("no program"),
    graph.draw.DrawingFormatError(".pdf", {".png", ".md"}),
]
PACKAGES = ("state.", "nodes.", "graph.")


def kinds(root: type[OrchestrationError]) -> set[type[OrchestrationError]]:
    return {root}.union(*(kinds(child) for child in root.__subclasses__()))


def fields(error: Exception) -> dict[str, object]:
    return {"args": error.args, **vars(error)}


def name_of(error: Exception) -> str:
    return type(error).__name__


def test_every_error_class_has_an_example_here() -> None:
    ours = {kind for kind in kinds(OrchestrationError) if kind.__module__.startswith(PACKAGES)}
    assert {type(error) for error in EXAMPLES} == ours


@pytest.mark.parametrize("error", EXAMPLES, ids=name_of)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_a_process_boundary(error: OrchestrationError, protocol: int) -> None:
    twin = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
    assert (type(twin), str(twin), fields(twin)) == (type(error), str(error), fields(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=name_of)
def test_every_error_can_be_copied(error: OrchestrationError) -> None:
    twin = copy.deepcopy(error)
    assert (type(twin), str(twin), fields(twin)) == (type(error), str(error), fields(error))


@pytest.mark.parametrize("error", EXAMPLES, ids=name_of)
def test_every_error_says_something_and_has_a_code(error: OrchestrationError) -> None:
    assert str(error)
    assert re.fullmatch(r"[a-z_]+", type(error).code)


def test_error_codes_tell_the_classes_apart() -> None:
    codes = [type(error).code for error in EXAMPLES]
    assert len(codes) == len(set(codes))


def test_a_json_error_survives_a_process_boundary() -> None:
    error = NotJsonError("input.when", "is a date")
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(twin), str(twin), twin.path, twin.why) == (
        NotJsonError,
        "input.when is a date",
        "input.when",
        "is a date",
    )


def test_a_plan_error_names_every_problem() -> None:
    text = str(PlanError(PROBLEMS))
    assert text.startswith("2 problems")
    assert all(problem.message in text for problem in PROBLEMS)


def test_a_plan_error_with_one_problem_is_that_sentence() -> None:
    assert str(PlanError(PROBLEMS[:1])) == "there are no tasks"


def test_errors_keep_their_data() -> None:
    assert AgentNotFoundError("x", {"b", "a"}).known == ("a", "b")
    assert ThreadBusyError("t", "me", 5.0).expires_at == 5.0
    assert CallableLostError("t", ["the router"]).uses == ("the router",)
    assert ThreadNotFoundError("t", ["u"]).known == ("u",)


def drawn_tree() -> set[tuple[str, str]]:
    """Pairs of child and parent, from the drawing in the module's docstring."""
    pairs, path = set(), ["OrchestrationError"]
    for line in (state.errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            pairs.add((found[2], path[depth - 1]))
    return pairs


def test_the_drawn_tree_is_the_real_one() -> None:
    ours = {type(error) for error in EXAMPLES} - {OrchestrationError}
    real = {(kind.__name__, parent.__name__) for kind in ours for parent in kind.__bases__}
    assert drawn_tree() == real


def test_a_lease_without_end_can_be_reported() -> None:
    assert "me" in str(ThreadBusyError("t", "me", float("inf")))


def test_an_agent_may_raise_with_what_is_no_text() -> None:
    assert str(AgentError(404)) == "404"  # type: ignore[arg-type]  # as an agent's author may do

"""Errors cross processes as JSON, and arrive as what they were."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from nodes.caching.failures import failure_document, failure_in
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentOverloadedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    AgentUnavailableError,
    SharedCallError,
    UnknownReplyError,
)


class OwnRefusalError(AgentRefusedError):
    """An agent author's own."""


def crossed(error: Exception) -> AgentError:
    return failure_in(json.loads(json.dumps(failure_document(error))))


@pytest.mark.parametrize(
    "error",
    [
        AgentError("a"),
        AgentRefusedError("a"),
        AgentTimeoutError("a"),
        UnknownReplyError("a"),
        AgentNotStartedError("a"),
        AgentRateLimitedError("a", retry_after=2.5),
        AgentOverloadedError("a", retry_after=0),
        AgentAuthError("a"),
        AgentUnavailableError("a", retry_after=1),
    ],
)
def test_errors_of_agents_arrive_as_what_they_were(error: AgentError) -> None:
    found = crossed(error)
    assert type(found) is type(error)
    assert (str(found), found.code, found.args) == (str(error), error.code, error.args)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OwnRefusalError("no seats"), "AgentRefusedError: no seats"),
        (TimeoutError("slow"), "AgentTimeoutError: slow"),
        (KeyError("x"), "SharedCallError: KeyError: 'x'"),
        (ValueError(), "SharedCallError: ValueError: ValueError()"),
    ],
)
def test_other_errors_arrive_as_the_nearest_that_is_known(error: Exception, seen: str) -> None:
    found = crossed(error)
    assert f"{type(found).__name__}: {found}" == seen


@pytest.mark.parametrize("document", [{}, {"type": "os.system", "message": 3, "retry_after": "x"}])
def test_a_document_that_says_something_else_is_an_error_all_the_same(
    document: dict[str, object],
) -> None:
    assert isinstance(failure_in(document), AgentError)
    assert failure_in({**document, "type": "AgentUnavailableError"}).code == "agent_unavailable"


@pytest.mark.parametrize("document", [None, [], ["type"], "text", 1])
def test_what_describes_no_failure_is_one_that_nobody_can_read(document: Any) -> None:  # noqa: ANN401
    assert isinstance(failure_in(document), SharedCallError)


@pytest.mark.parametrize("retry_after", [math.nan, math.inf, True, "1", [1]])
def test_a_wait_that_is_no_number_is_none(retry_after: object) -> None:
    found = failure_in({"type": "AgentOverloadedError", "message": "a", "retry_after": retry_after})
    assert isinstance(found, AgentOverloadedError)
    assert found.retry_after is None

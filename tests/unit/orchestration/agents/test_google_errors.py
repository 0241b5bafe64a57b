"""Errors of Google's clients that a fake server cannot bring about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from langchain_core import exceptions as langchain

from orchestration.agents.google_answers import answer_of
from orchestration.agents.google_errors import agent_error
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*Post-Quantum Cryptography:FutureWarning")


class FailedError(Exception):
    """Looks like what google-genai raises."""

    def __init__(self, code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}")
        self.code = code
        self.message = "out of luck"
        self.details: Any = {}
        self.response = httpx.Response(code, headers=headers)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (langchain.ModelAuthenticationError("no"), AgentAuthError),
        (langchain.ModelPermissionDeniedError("no"), AgentAuthError),
        (langchain.ModelNotFoundError("no"), AgentNotStartedError),
        (langchain.ModelRateLimitError("no"), AgentRateLimitedError),
        (langchain.ModelTimeoutError("no"), AgentTimeoutError),
        (langchain.ContextOverflowError("no"), AgentRefusedError),
        (langchain.ModelInvalidRequestError("no"), AgentRefusedError),
        (langchain.ModelAPIError("no"), AgentError),
        (httpx.ConnectError("no"), AgentNotStartedError),
        (httpx.ConnectTimeout("no"), AgentNotStartedError),
        (httpx.PoolTimeout("no"), AgentNotStartedError),
        (httpx.ReadTimeout("no"), AgentTimeoutError),
        (httpx.WriteTimeout("no"), AgentTimeoutError),
        (httpx.ReadError("no"), AgentError),
        (httpx.RemoteProtocolError("no"), AgentError),
        (ValueError("no"), UnknownReplyError),
        (KeyError("no"), UnknownReplyError),
        (RuntimeError("no"), AgentError),
        (ConnectionResetError("no"), AgentError),
    ],
)
def test_libraries_have_their_own_words(error: Exception, expected: type[Exception]) -> None:
    mapped = agent_error(error, at="there")
    assert type(mapped) is expected
    assert "there" in str(mapped)
    assert "no" in str(mapped)


def test_ours_are_left_alone() -> None:
    error = AgentRefusedError("no")
    assert agent_error(error, at="there") is error


def test_what_failed_before_says_nothing_of_what_fails_now() -> None:
    """While one endpoint's error is handled another may be asked: that one may have begun."""
    error = httpx.ReadError("the second broke off")
    error.__context__ = httpx.ConnectError("the first is down")
    assert type(agent_error(error, at="there")) is AgentError


def test_what_is_under_a_wrapping_counts() -> None:
    outer = RuntimeError("something is wrong")
    outer.__cause__ = FailedError(429, {"Retry-After": "3"})
    mapped = agent_error(outer, at="there")
    assert isinstance(mapped, AgentRateLimitedError)
    assert mapped.retry_after == 3


@pytest.mark.parametrize("said", ["999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_is_kept_waiting_for_years(said: str) -> None:
    """Everybody who shares the database would wait."""
    assert getattr(answer_of(FailedError(429, {"Retry-After": said})), "retry_after", 0) == 86400
    error = FailedError(429)
    error.details = {"error": {"details": [{"retryDelay": "999999999.5s"}]}}
    assert getattr(answer_of(error), "retry_after", 0) == 86400


def test_a_retry_after_may_be_a_date_or_nonsense() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=90), usegmt=True)
    found = [
        getattr(answer_of(FailedError(429, {"Retry-After": text})), "retry_after", "no answer")
        for text in (soon, past, "7", "a while", "-5", "9" * 30)
    ]
    assert found == [pytest.approx(90, abs=20), 0.0, 7.0, None, None, None]


@pytest.mark.parametrize("status", [302, 499, 500, 502, 503])
def test_what_may_have_begun_is_said_to(status: int) -> None:
    assert agent_error(FailedError(status), at="there").may_have_started


def test_long_errors_are_cut() -> None:
    assert len(str(agent_error(RuntimeError("x" * 10**6), at="there"))) < 2000

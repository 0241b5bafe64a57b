"""What the answers of HTTP agents mean."""

# ruff: noqa: ANN401  anything may be said

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from orchestration.agents.http_errors import (
    LONGEST_WAIT,
    error_body,
    error_of,
    event_error,
    retry_after_in,
)
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    AgentRefusedError,
    AgentTimeoutError,
    UnknownReplyError,
)

OURS = {"error": {"message": "no seats"}}
NOT_STARTED = {"error": {"message": "shutting down", "started": False}}
IN_PROGRESS = {"error": {"message": "at it", "code": "in_progress"}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (302, None, UnknownReplyError),
        (307, OURS, UnknownReplyError),
        (400, OURS, AgentRefusedError),
        (400, None, AgentRefusedError),
        (401, OURS, AgentAuthError),
        (403, None, AgentAuthError),
        (404, None, AgentNotStartedError),
        (404, {"detail": "Not Found"}, AgentNotStartedError),
        (404, OURS, AgentRefusedError),
        (405, None, AgentNotStartedError),
        (407, None, AgentAuthError),
        (408, None, AgentTimeoutError),
        (409, OURS, AgentRefusedError),
        (409, IN_PROGRESS, AgentError),
        (413, None, AgentRefusedError),
        (415, None, AgentRefusedError),
        (422, {"detail": "bad"}, AgentRefusedError),
        (429, None, AgentRateLimitedError),
        (500, OURS, AgentError),
        (500, NOT_STARTED, AgentNotStartedError),
        (502, None, AgentError),
        (503, None, AgentError),
        (503, OURS, AgentError),
        (503, NOT_STARTED, AgentNotStartedError),
        (504, None, AgentTimeoutError),
        (504, NOT_STARTED, AgentNotStartedError),
        (599, None, AgentError),
    ],
)
def test_each_status_has_one_meaning(status: int, body: Any, expected: type[AgentError]) -> None:
    error = error_of(status, error_body(body), where="there")
    assert type(error) is expected
    assert str(status) in str(error)


def test_a_time_to_wait_counts_only_where_nothing_began() -> None:
    busy = error_of(503, error_body(OURS), where="there", retry_after=7)
    assert type(busy) is AgentError
    turned_away = error_of(503, error_body(NOT_STARTED), where="there", retry_after=7)
    assert isinstance(turned_away, AgentRateLimitedError)
    assert turned_away.retry_after == 7


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("999999999", LONGEST_WAIT),
        ("9" * 400, None),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        (formatdate(4e9, usegmt=True), LONGEST_WAIT),
    ],
)
def test_a_time_to_wait_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_in({"retry-after": value}) == seconds


def test_a_date_to_come_is_so_many_seconds_away() -> None:
    wait = retry_after_in({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert wait is not None
    assert 30 < wait <= 60


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, "no"),
        ({"detail": "no"}, "no"),
        ({"title": "no", "status": 3}, "no"),
        ({"error": {"message": 7}}, ""),
        ({"detail": [{"loc": []}]}, ""),
        (["no"], ""),
        ("no", ""),
    ],
)
def test_messages_are_found_where_people_put_them(body: Any, message: str) -> None:
    assert error_body(body).message == message


def test_what_an_agent_says_is_cut() -> None:
    assert len(str(error_of(500, error_body({"error": "x" * 10**6}), where="there"))) < 1000


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"status": 409, **OURS}, AgentRefusedError),
        ({"status": 200, **OURS}, AgentError),
        ({"status": "409", **OURS}, AgentError),
        (OURS, AgentError),
        ({}, AgentError),
    ],
)
def test_an_error_in_a_stream_has_the_meaning_of_its_status(
    event: Any, expected: type[AgentError]
) -> None:
    assert type(event_error(event, where="there")) is expected

"""What became of one task, as it stands in a checkpoint."""

from __future__ import annotations

from typing import Final, NotRequired, Required, TypedDict

from state.jsonvalue import JsonObject, described, plain_text
from state.status import SkipCause, TaskStatus

LONGEST_MESSAGE: Final = 2000
MOST_TOKENS: Final = 10**12
"""More than that no call uses; whoever says more counts for so many."""


class ErrorRecord(TypedDict):
    """An error as JSON."""

    code: str
    """Stable name of the kind of error, e.g. `agent_refused`."""
    type: str
    """Name of the Python class that was raised."""
    message: str


class Usage(TypedDict):
    """What a model used for a reply."""

    input_tokens: int
    output_tokens: int


class Try(TypedDict):
    """One call of one endpoint; an attempt at a task may take several."""

    endpoint: str
    version: str
    seconds: float
    error: NotRequired[str]
    """The code of what went wrong; absent where it answered."""
    may_have_started: NotRequired[bool]
    """Only with `error`: whether the agent may have acted."""
    cost: NotRequired[float]


class Routing(TypedDict):
    """Why an endpoint was chosen."""

    why: str
    """E.g. `2 of 5 endpoints; weighted_round_robin`."""
    skipped: dict[str, str]
    """Endpoints that were not considered, and why; of many, the first few."""


class Outcome(TypedDict, total=False):
    """What became of one task. `status` and `attempts` are always there.

    A task that failed and will be tried again is `pending`, with `next_due_at`.
    """

    status: Required[str]
    """A `TaskStatus`, as plain text."""
    attempts: Required[int]
    """How often the agent was called."""
    output: JsonObject
    error: ErrorRecord
    reason: str
    """Why it was skipped, cancelled or rejected, in words."""
    because: str
    """A `SkipCause`, as plain text."""
    because_of: str
    """The task whose fate decided this one's."""
    agent: str
    version: str
    endpoint: str
    """Where the agent was called last; absent where there is only one place, in this process."""
    tries: list[Try]
    """Calls of endpoints, over all attempts; only where an agent has endpoints."""
    routing: Routing
    """Of the last call."""
    usage: Usage
    """Of the last reply, if its agent said it."""
    middleware: dict[str, JsonObject]
    """What layers around the last call found out, by their names; e.g. `cache`, whether the answer
    came from one, and why not."""
    cost: float
    """Of all calls for the task, in the currency that the prices are in."""
    started_at: float
    """Seconds since the epoch; of the last attempt."""
    finished_at: float
    next_due_at: float
    """When the next attempt is due, seconds since the epoch."""
    turn: int
    """In which turn of a cycle or a loop; absent elsewhere."""
    turns: int
    """How many turns a loop took."""
    inner: dict[str, Outcome]
    """What became of the tasks it is made of, by task id, or by the number of the item."""
    compensation: Outcome
    """What became of undoing the task, with the agent that did that; absent until it begins.
    The task is `compensated` once this has succeeded, and stays `succeeded` if it has not."""


UNSUCCESSFUL = frozenset(
    {TaskStatus.FAILED, TaskStatus.TIMED_OUT, TaskStatus.CANCELLED, TaskStatus.REJECTED}
)
HARMLESS_SKIPS = frozenset({SkipCause.CONDITION, SkipCause.NOT_ROUTED})


def usage_in(reply: JsonObject) -> Usage | None:
    """What a reply says that a model used, if it says that in the form of all kinds."""
    said = reply.get("usage")
    if not isinstance(said, dict):
        return None
    given, made = said.get("input_tokens"), said.get("output_tokens")
    if type(given) is not int or type(made) is not int or min(given, made) < 0:
        return None
    return Usage(input_tokens=min(given, MOST_TOKENS), output_tokens=min(made, MOST_TOKENS))


def blocks(outcome: Outcome) -> bool:
    """Whether a task that builds on this one cannot run.

    A task whose own condition was false was not needed, so it blocks nobody.
    """
    if outcome["status"] == TaskStatus.SKIPPED:
        return outcome["because"] not in HARMLESS_SKIPS
    return outcome["status"] in UNSUCCESSFUL


def is_finished(outcome: Outcome | None) -> bool:
    """Whether the task will not be tried (again) in this run."""
    return outcome is not None and outcome["status"] != TaskStatus.PENDING


def skipped(reason: str, *, because: SkipCause, because_of: str = "") -> Outcome:
    """The outcome of a task that did not run."""
    outcome = Outcome(
        status=TaskStatus.SKIPPED.value, attempts=0, reason=reason, because=because.value
    )
    if because_of:
        outcome["because_of"] = because_of
    return outcome


def error_record(error: BaseException) -> ErrorRecord:
    """Describe `error` as JSON, whatever it is; long messages are cut."""
    code = getattr(error, "code", None)
    return {
        "code": plain_text(code) if isinstance(code, str) and code else "agent_raised",
        "type": type(error).__name__,
        "message": _message(error).encode(errors="replace").decode()[:LONGEST_MESSAGE],
    }


def cancellation_record(cancelled: Outcome) -> ErrorRecord:
    """Say as an error why a loop or a cycle did not go on, from what its tasks would become."""
    return {
        "code": SkipCause.CANCELLED.value,
        "type": "Cancellation",
        "message": cancelled.get("reason", ""),
    }


def _message(error: BaseException) -> str:
    try:
        return str(error) or described(error)
    except Exception:  # noqa: BLE001  an error's own mistake must not hide that there was one
        return described(error)


def error_json(record: ErrorRecord) -> JsonObject:
    """The record as a plain JSON object."""
    return {"code": record["code"], "type": record["type"], "message": record["message"]}

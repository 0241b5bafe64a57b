"""Every error this project raises on purpose.

OrchestrationError
├── PlanError                the tasks cannot be run as given; lists every problem
│   └── RoutingError         the router chose nothing that can run
├── AgentError               an agent could not do its task (becomes an outcome, not an exception)
│   ├── AgentRefusedError    it understood and said no: not enough seats, over budget
│   ├── AgentTimeoutError    it did not answer before its deadline
│   ├── UnknownReplyError    it answered with something that is not a JSON object
│   ├── SharedCallError      the call it was to share failed in another process
│   └── AgentNotStartedError   it surely did not begin, so anybody else may do it
│       ├── AgentRateLimitedError  its endpoint takes no more calls for a while
│       │   └── AgentOverloadedError  so many calls wait for it here that no more may
│       ├── AgentAuthError         its endpoint does not accept our credentials
│       └── AgentUnavailableError  no endpoint of it takes calls now
├── BudgetExceededError      a budget allows no further call (becomes an outcome)
├── TurnError                a cycle or a loop ended before it was done (becomes a result's error)
│   ├── OutOfTurnsError      it took as many turns as it may
│   ├── HandoffError         an agent handed over to something that is no task there
│   └── SupervisorError      the supervisor failed, or named something that is no task there
├── AgentNotFoundError       nobody registered for that id, capability or action
├── RegistrationError        an agent specification, or a workflow, that cannot be registered
│   └── WorkflowConflictError  the name and version stand for something else already
├── InvalidFileError         a file is not what it should be; lists every problem with its line
│   ├── WorkflowFileError    it is no workflow
│   └── AgentFileError       it does not say which agents there are
├── DiscoveryError           a source of agents cannot say which there are
├── WorkflowNotFoundError    no workflow is registered under that name
├── ThreadError
│   ├── ThreadNotFoundError  no thread has that id
│   ├── ThreadBusyError      another process (or task) is running the thread
│   ├── ThreadPendingError   the thread has unfinished work, so it takes no new input
│   ├── ThreadExistsError    a new thread was wanted, and that one is there already
│   │   └── BatchConflictError  it was made for another request than the one of the batch
│   ├── ThreadFinishedError  its run is over, so it can be neither cancelled nor signalled
│   ├── DrainedError         the process shuts down; the thread stopped where it can be resumed
│   ├── LeaseLostError       this process lost the thread to another one
│   ├── NewerPlanError       its plan was written by a later version of this project
│   ├── DecisionError        an answer that does not fit what the thread waits for
│   │   ├── AlreadyDecidedError   somebody else was first, or the question has lapsed
│   │   └── NotAllowedError   who answers may not, or not any more
│   ├── StreamError          the events of a run cannot be read like that
│   │   ├── BadSequenceError  the run has not come so far
│   │   └── EventsGoneError   they are not kept any more
│   ├── SignalError          a signal that the thread cannot take
│   │   └── UnknownSignalError  no task of its run waits for signals of that name
│   ├── RetentionError       deleting or copying the thread would lose or double its work
│   ├── UpgradeError         its workflow was changed in ways that the run cannot follow
│   ├── MigrationError       what is to become of a run's tasks in a new version does not fit
│   └── CallableLostError    a condition or router lived in a process that is gone
├── ForkError                a run cannot be forked like that
├── ToolError                why a call of a tool has no result
│   ├── ToolCallError        what was given is no call of a tool; nothing was called
│   ├── ToolNotFoundError    no tool has that name
│   ├── ToolTimeoutError     it did not answer in time
│   └── ToolBackendError     a backend of batches did not answer each of its calls
├── UnknownSourceError       no source of context has that name
├── MetricsError             figures of a request that cannot be
├── RequestNotFoundError     no approval request has that id
│   └── AmbiguousRequestError  several begin with it
├── DatabaseError            the database URL or file cannot be used
│   └── EncryptionError      a stored value is plain where it must not be, or no key opens it
├── CacheError               a cache's URL or file cannot be used, or what is asked of it
│   └── CacheUnreachableError  its server does not answer, or its file not now
├── CompressionError         messages cannot be compressed as asked
│   └── PromptTooLongError   even the least that is valid does not fit the budget
├── ConfigurationError       a setting, or a variable of the environment, that cannot be
├── RetrievalError           a retrieval cannot be made as asked
│   └── RetrievalFailedError no retriever answered; lists every failure
├── NoRunHandleError         a graph runs that nobody in this process can serve (nodes)
└── DrawingError             a graph cannot be drawn (graph)
    └── DrawingFormatError   no drawing has that suffix

Three families are kept apart: the caller's mistakes are raised, a task that went
wrong becomes an outcome, and control flow (interrupts, cancellation) is never caught.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from state.jsonvalue import JsonObject


class OrchestrationError(Exception):
    """Root of the project's errors; catch it to catch them all."""

    code: ClassVar[str] = "orchestration_error"


class Problem(NamedTuple):
    """One reason why a plan cannot run."""

    code: str
    """Stable name of the kind of problem, e.g. `unknown_agent`."""
    message: str
    """What is wrong, with which value, what is allowed, what to do."""
    task_id: str | None = None


class PlanError(OrchestrationError):
    """Raised before any agent is called when tasks cannot run as given."""

    code = "invalid_plan"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0].message
        lines = "\n".join(f"  - {problem.message}" for problem in self.problems)
        return f"{len(self.problems)} problems in these tasks; no agent was called:\n{lines}"


class RoutingError(PlanError):
    """Raised when a router failed or chose something that cannot run."""

    code = "invalid_route"


class AgentError(OrchestrationError):
    """Raise from an agent to say that the task failed; retried if the task's policy allows.

    It may have begun, and so may have had an effect, unless `may_have_started` is false.
    """

    code = "agent_failed"
    may_have_started: ClassVar[bool] = True
    """Whether the agent may have acted. If not, another one may do the task."""

    def __init__(self, message: str) -> None:
        self.message = str(message)
        super().__init__(message)

    def __str__(self) -> str:
        return self.message


class AgentRefusedError(AgentError):
    """Raise from an agent that understood the task and will not do it; never retried."""

    code = "agent_refused"
    may_have_started = False


class AgentTimeoutError(AgentError):
    """The agent did not answer before the task's deadline; it may have acted all the same."""

    code = "agent_timed_out"


class UnknownReplyError(AgentError):
    """The agent answered with something that is not a JSON object."""

    code = "unknown_reply"


class SharedCallError(AgentError):
    """A call that was shared failed in another process, with an error that only it knows.

    The message begins with the name of that error's class. Errors of this family arrive as
    what they were.
    """

    code = "agent_raised"


LONGEST_PAUSE: Final = 86400.0
"""Seconds; an agent that asks for more gets this, as nobody would ever look again."""


def _believed(retry_after: float | None) -> float | None:
    if retry_after is None or math.isnan(retry_after):
        return None
    return min(max(retry_after, 0.0), LONGEST_PAUSE)


class AgentNotStartedError(AgentError):
    """Raise where the agent surely did not begin: another endpoint may do the task."""

    code = "agent_not_started"
    may_have_started = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = _believed(retry_after)
        """In how many seconds it may be tried again at the same place; None if nobody said."""
        self.args = (message, self.retry_after)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword argument."""
        return _not_started, (type(self), *self.args)


def _not_started(
    kind: type[AgentNotStartedError], message: str, retry_after: float | None
) -> AgentNotStartedError:
    return kind(message, retry_after=retry_after)


class AgentRateLimitedError(AgentNotStartedError):
    """The agent's endpoint takes no more calls for a while (e.g. HTTP 429)."""

    code = "agent_rate_limited"


class AgentOverloadedError(AgentRateLimitedError):
    """So many calls wait for the agent in this process that this one was turned away."""

    code = "agent_overloaded"


class AgentAuthError(AgentNotStartedError):
    """The agent's endpoint does not accept our credentials, or we have none; never retried."""

    code = "agent_unauthorised"


class AgentUnavailableError(AgentNotStartedError):
    """No endpoint of the agent takes calls now."""

    code = "agent_unavailable"


class BudgetExceededError(OrchestrationError):
    """Stands in the outcome of a task that was not begun, as a budget is used up."""

    code = "budget_exceeded"

    def __init__(self, overruns: Sequence[str], details: Sequence[JsonObject] = ()) -> None:
        """Say which budgets, with what was spent of them."""
        self.overruns = tuple(overruns)
        self.details = tuple(details)
        """The same for machines."""
        super().__init__(self.overruns)

    def __str__(self) -> str:
        return (
            f"{'; '.join(self.overruns)}, so no agent is called any more; give a larger budget, "
            "or let it pause for an approval (on_exceeded='pause')"
        )


class TurnError(OrchestrationError):
    """Why a cycle or a loop ended before it was done."""

    code = "turn_error"


class OutOfTurnsError(TurnError):
    """It took as many turns as it may; what was achieved is kept."""

    code = "out_of_turns"


class HandoffError(TurnError):
    """An agent handed over to something that is no task there."""

    code = "bad_handoff"


class SupervisorError(TurnError):
    """The supervisor failed, or named something that is no task there."""

    code = "supervisor_failed"


class AgentNotFoundError(OrchestrationError):
    """Raised when nobody is registered for an agent id, capability or action."""

    code = "agent_not_found"

    def __init__(self, wanted: str, known: Iterable[str]) -> None:
        self.wanted = wanted
        self.known = tuple(sorted(known))
        super().__init__(wanted, self.known)

    def __str__(self) -> str:
        return (
            f"no enabled agent for {self.wanted!r}; known are {list(self.known)!r}. "
            "Register one, enable it, or correct the name."
        )


class RegistrationError(OrchestrationError):
    """Raised when an `AgentSpec` or a `Workflow` cannot be registered."""

    code = "invalid_registration"


class WorkflowConflictError(RegistrationError):
    """Raised when a workflow's name and version stand for something else already."""

    code = "workflow_conflict"

    def __init__(self, name: str, version: str, sources: Iterable[str] = ()) -> None:
        self.name = name
        self.version = version
        self.sources = tuple(sources)
        """Where the definitions come from, if that is known."""
        super().__init__(name, version, self.sources)

    def __str__(self) -> str:
        where = f" ({' and '.join(self.sources)})" if self.sources else ""
        return (
            f"workflow {self.name!r} version {self.version!r} is defined twice, and not the same"
            f"{where}. Threads that began under it count on what it was: give the changed one a "
            "new version."
        )


class FileProblem(NamedTuple):
    """One reason why a file is not what it should be."""

    file: str
    line: int | None
    """From 1; None where it is not about a part of the file."""
    column: int | None
    path: str
    """Where in the content, e.g. `tasks[2].retry.max_attempts`; empty for the whole."""
    message: str

    def __str__(self) -> str:
        place = "" if self.line is None else f":{self.line}:{self.column}"
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}{place}: {path}{self.message}"


class InvalidFileError(OrchestrationError):
    """Raised for a file that is not what it should be, with every problem and its place."""

    code = "bad_file"
    consequence: ClassVar[str] = "nothing was done"

    def __init__(self, path: str, problems: Sequence[FileProblem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        return f"{self.path} has {len(self.problems)} problems; {self.consequence}:\n{lines}"


class WorkflowFileError(InvalidFileError):
    """Raised for a file that is no workflow."""

    code = "invalid_file"
    consequence = "nothing was run"


class AgentFileError(InvalidFileError):
    """Raised for a file that does not say which agents there are; what was known before stays."""

    code = "invalid_agents_file"
    consequence = "nothing was changed"


class DiscoveryError(OrchestrationError):
    """Raised where a source of agents cannot say which there are; what was known before stays."""

    code = "discovery_failed"


class WorkflowNotFoundError(OrchestrationError):
    """Raised when no workflow is registered under a name, or not in that version."""

    code = "workflow_not_found"

    def __init__(self, wanted: str, known: Iterable[str], broken: Iterable[str] = ()) -> None:
        self.wanted = wanted
        self.known = tuple(known)
        self.broken = tuple(broken)
        """Sources that could not be read, in which it may be."""
        super().__init__(wanted, self.known, self.broken)

    def __str__(self) -> str:
        broken = f"; these could not be read: {list(self.broken)!r}" if self.broken else ""
        return (
            f"no workflow {self.wanted!r}; known are {list(self.known)!r}{broken}. Register it, "
            "put its file into a folder of ORCHESTRATION_WORKFLOWS, or give the path of a file."
        )


class ThreadError(OrchestrationError):
    """Root of what can go wrong with one thread."""

    code = "thread_error"

    def __init__(self, thread_id: str, message: str) -> None:
        self.thread_id = thread_id
        self.message = message
        super().__init__(thread_id, message)

    def __str__(self) -> str:
        return f"thread {self.thread_id!r}: {self.message}"


class ThreadNotFoundError(ThreadError):
    """Raised when no thread has the id."""

    code = "thread_not_found"

    def __init__(self, thread_id: str, known: Iterable[str] = ()) -> None:
        self.known = tuple(known)
        hint = f"recent threads are {list(self.known)!r}" if self.known else "there are no threads"
        super().__init__(thread_id, f"not found; {hint}. Check the id and the database URL.")
        self.args = (thread_id, self.known)


class ThreadBusyError(ThreadError):
    """Raised when somebody else holds the thread's lease."""

    code = "thread_busy"

    def __init__(self, thread_id: str, holder: str, expires_at: float) -> None:
        self.holder = holder
        self.expires_at = expires_at
        """When the lease ends unless its holder keeps it alive, seconds since the epoch."""
        super().__init__(
            thread_id,
            f"{holder} is running it; its lease ends at {_utc(expires_at)} unless it is kept "
            "alive. Wait for it, or try again after that time.",
        )
        self.args = (thread_id, holder, expires_at)


class ThreadPendingError(ThreadError):
    """Raised when new work is given to a thread that has not finished its last."""

    code = "thread_pending"

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            thread_id,
            "its last run has not finished, so it takes no new tasks. "
            "Resume it first (`resume(thread_id)`), or use another thread id.",
        )
        self.args = (thread_id,)


class ThreadExistsError(ThreadError):
    """Raised when a new thread is wanted under an id that is taken; nothing was changed."""

    code = "thread_exists"

    def __init__(self, thread_id: str) -> None:
        super().__init__(thread_id, "it is there already; resume it, or use another id")
        self.args = (thread_id,)


class BatchConflictError(ThreadExistsError):
    """Raised when an item's thread was made for another request; nothing was run."""

    code = "batch_conflict"

    def __init__(self, thread_id: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        """What differs: `tasks`, `workflow`, `parameters`, `tenant`, `user`."""
        super().__init__(thread_id)
        self.message = (
            f"it was made for another request ({', '.join(self.differences)} differ); nothing was "
            "run. Give the item another key, or the batch another id"
        )
        self.args = (thread_id, self.differences)


class ThreadFinishedError(ThreadError):
    """Raised when something is asked of a run that is over."""

    code = "thread_finished"

    def __init__(self, thread_id: str, status: str) -> None:
        self.status = status
        super().__init__(
            thread_id, f"its run is over ({status}); it can be neither cancelled nor signalled"
        )
        self.args = (thread_id, status)


class DrainedError(ThreadError):
    """Raised when a run stopped at a checkpoint because its process shuts down."""

    code = "drained"

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            thread_id,
            "this process shuts down, so the run stopped at a checkpoint (or did not begin); "
            "resume it here or elsewhere",
        )
        self.args = (thread_id,)


class LeaseLostError(ThreadError):
    """Raised in a process whose lease ended and whose thread may belong to another now."""

    code = "lease_lost"

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            thread_id,
            "this process lost its lease, so nothing more of it is written or called here. "
            "The thread can be resumed by whoever holds it now.",
        )
        self.args = (thread_id,)


class NewerPlanError(ThreadError):
    """Raised when a thread's plan is of a schema that only a later version can run."""

    code = "newer_plan"

    def __init__(self, thread_id: str, schema: int, known: int) -> None:
        self.schema = schema
        self.known = known
        """The newest schema that this version can run."""
        super().__init__(
            thread_id,
            f"its plan has schema {schema}, and this version knows only up to {known}; nothing "
            "was changed. Update agent-orchestration-layer, or go on with it where it was begun.",
        )
        self.args = (thread_id, schema, known)


class DecisionError(ThreadError):
    """Raised when an answer does not fit the question; the question stays open."""

    code = "invalid_decision"


class AlreadyDecidedError(DecisionError):
    """Raised when a question was decided before, with who decided what and when."""

    code = "already_decided"

    def __init__(  # noqa: PLR0913  one for each thing the loser wants to know
        self,
        thread_id: str,
        task_id: str,
        *,
        status: str,
        decided_by: str | None,
        decided_at: float | None,
        decision: str,
        asked_anew: str = "",
    ) -> None:
        self.task_id = task_id
        self.status = status
        """`decided`, `applied`, or `lapsed` where the run went on without an answer."""
        self.decided_by = decided_by
        self.decided_at = decided_at
        """Seconds since the epoch."""
        self.decision = decision
        """`approve`, `edit`, `reject` or `respond`; empty where it lapsed."""
        self.asked_anew = asked_anew
        """The request that took its place, as the workflow was changed; or empty."""
        if asked_anew:
            why = (
                "lapsed, as the run goes on under another version of its workflow, and nothing "
                f"was recorded. It is asked anew as request {asked_anew}: look at that one and "
                "decide it"
            )
        elif decided_at is None:
            why = "lapsed, as the run ended or went on without an answer"
        else:
            why = f"was decided by {decided_by or 'somebody'} at {_utc(decided_at)}: {decision}"
        super().__init__(thread_id, f"nothing waits under {task_id!r} any more; it {why}")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with keywords."""
        values = (self.status, self.decided_by, self.decided_at, self.decision, self.asked_anew)
        return _already_decided, (self.thread_id, self.task_id, *values)


def _already_decided(  # noqa: PLR0913, PLR0917  what pickle keeps
    thread_id: str,
    task_id: str,
    status: str,
    decided_by: str | None,
    decided_at: float | None,
    decision: str,
    asked_anew: str,
) -> AlreadyDecidedError:
    return AlreadyDecidedError(
        thread_id,
        task_id,
        status=status,
        decided_by=decided_by,
        decided_at=decided_at,
        decision=decision,
        asked_anew=asked_anew,
    )


class NotAllowedError(DecisionError):
    """Raised when who answers may not; the question stays open."""

    code = "not_allowed"

    def __init__(self, thread_id: str, message: str, *, reason: str = "") -> None:
        self.reason = reason
        """`wrong_role`, `requester`, `nobody`, `late` or `voted`."""
        super().__init__(thread_id, message)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with keywords."""
        return _not_allowed, (self.thread_id, self.message, self.reason)


def _not_allowed(thread_id: str, message: str, reason: str) -> NotAllowedError:
    return NotAllowedError(thread_id, message, reason=reason)


class SignalError(ThreadError):
    """Raised when a signal cannot be taken as it is; nothing was recorded."""

    code = "invalid_signal"


class UnknownSignalError(SignalError):
    """Raised when no task of a thread's run waits for signals of that name."""

    code = "unknown_signal"

    def __init__(self, thread_id: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        waited_for = f"it waits for {list(self.known)!r}" if self.known else "it waits for none"
        super().__init__(
            thread_id,
            f"no task of its run waits for the signal {name!r}; {waited_for}. Nothing was "
            "recorded; check the name and the thread.",
        )
        self.args = (thread_id, name, self.known)


class StreamError(ThreadError):
    """Root of what can go wrong with reading the events of a run."""

    code = "stream_error"


class BadSequenceError(StreamError):
    """Raised when events after a sequence number are wanted that the run has not reached."""

    code = "bad_sequence"

    def __init__(self, thread_id: str, after: object, last: int) -> None:
        self.after = after
        self.last = last
        """The sequence number of the run's last event; 0 if it has none."""
        super().__init__(
            thread_id,
            f"events after {after!r} are wanted, and its run has {last} so far; give a whole "
            f"number from 0 to {last}. If the thread has begun another run since, begin at 0.",
        )
        self.args = (thread_id, after, last)


class EventsGoneError(StreamError):
    """Raised when events are wanted that a database in memory keeps no more."""

    code = "events_gone"

    def __init__(self, thread_id: str, after: int, first: int) -> None:
        self.after = after
        self.first = first
        """The sequence number of the first event that is kept."""
        super().__init__(
            thread_id,
            f"the next event after {after} is gone: a database in memory keeps only a run's last "
            f"ones, here from {first} on. Read on after {first - 1}, or use a SQLite database.",
        )
        self.args = (thread_id, after, first)


class RetentionError(ThreadError):
    """Raised when deleting or copying a thread would lose work, or do it twice."""

    code = "retention_refused"


class UpgradeError(ThreadError):
    """Raised when a run's workflow was changed in ways that it cannot follow; nothing happened.

    `differences` has a line for each, `old` and `new` the versions.
    """

    code = "incompatible_upgrade"

    def __init__(  # noqa: PLR0913  one for each part of the message
        self,
        thread_id: str,
        name: str,
        *,
        old: str,
        new: str,
        differences: Sequence[str],
        database: str | None = None,
    ) -> None:
        self.database = database
        """How the commands in the message name the database; None is the default."""
        self.name = name
        self.old = old
        self.new = new
        self.differences = tuple(differences)
        super().__init__(thread_id, f"{name} {old} → {new}")
        self.args = (thread_id, name, old, new, self.differences, database)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments."""
        return _upgrade_error, self.args

    def __str__(self) -> str:
        lines = "\n".join(f"  {line}" for line in self.differences)
        same = (
            f" (the version is still {self.new!r}: give every change a new one)"
            if self.old == self.new
            else ""
        )
        return (
            f"thread {self.thread_id!r} began with workflow {self.name!r} {self.old}, and "
            f"{self.new} differs in ways that a run cannot simply go on with{same}:\n{lines}\n"
            "Nothing was changed. Do one of these:\n"
            f"  finish it as it began:  {self._command('resume', '--as-begun')}\n"
            "  say what becomes of what:  "
            f"{self._command('migrate', '--with', 'MODULE:FUNCTION')}\n"
            f"  call it off:  {self._command('cancel')}"
        )

    def _command(self, verb: str, *options: str) -> str:
        where = () if self.database is None else ("--database", self.database)
        return shlex.join(("orchestration", "threads", verb, self.thread_id, *options, *where))


def _upgrade_error(*values: Any) -> UpgradeError:  # noqa: ANN401  what pickle keeps
    thread_id, name, old, new, differences, database = values
    return UpgradeError(
        thread_id, name, old=old, new=new, differences=differences, database=database
    )


class MigrationError(ThreadError):
    """Raised when a mapping of a run's tasks to a new version does not fit; nothing happened."""

    code = "invalid_migration"

    def __init__(self, thread_id: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            thread_id,
            f"it cannot be migrated: {'; '.join(self.problems)}. Nothing was changed",
        )
        self.args = (thread_id, self.problems)


class CallableLostError(ThreadError):
    """Raised when a thread needs a Python callable that this process does not have."""

    code = "callable_lost"

    def __init__(self, thread_id: str, uses: Sequence[str]) -> None:
        self.uses = tuple(uses)
        super().__init__(
            thread_id,
            f"{', '.join(self.uses)} was given as a Python callable, which lived in the process "
            "that started the thread. Write it as a CEL expression string instead, e.g. "
            'condition="outputs.ticketing.total_price > 5000"; that is stored with the thread.',
        )
        self.args = (thread_id, self.uses)


class ForkError(OrchestrationError):
    """Raised when a run cannot be forked as asked; nothing was made."""

    code = "invalid_fork"


class ToolError(OrchestrationError):
    """Root of why a call of a tool has no result."""

    code = "tool_failed"


class ToolCallError(ToolError):
    """Raised for what is no call of a tool; nothing was called."""

    code = "invalid_tool_call"


class ToolNotFoundError(ToolError):
    """Stands in place of a result where no tool has the name."""

    code = "tool_not_found"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(sorted(known))
        super().__init__(name, self.known)

    def __str__(self) -> str:
        return f"no tool {self.name!r}; known are {list(self.known)!r}. Register it first."


class ToolTimeoutError(ToolError):
    """Stands in place of a result that did not come in time; the call may have acted."""

    code = "tool_timed_out"

    def __init__(self, seconds: float, *, begun: bool = True) -> None:
        self.seconds = seconds
        self.begun = begun
        """Whether the tool was called at all."""
        super().__init__(seconds, begun)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword argument."""
        return _tool_timeout, (self.seconds, self.begun)

    def __str__(self) -> str:
        act = "the call did not answer" if self.begun else "the call was not begun"
        return f"{act} within {self.seconds:g} s"


def _tool_timeout(seconds: float, begun: bool) -> ToolTimeoutError:  # noqa: FBT001  as pickled
    return ToolTimeoutError(seconds, begun=begun)


class ToolBackendError(ToolError):
    """Raised to each caller of a batch whose backend did not answer each of its calls."""

    code = "tool_backend_failed"


class UnknownSourceError(OrchestrationError):
    """Raised for names of context sources that nobody registered; nothing was fetched."""

    code = "unknown_context_source"

    def __init__(self, wanted: Iterable[str], known: Iterable[str]) -> None:
        self.wanted = tuple(wanted)
        self.known = tuple(sorted(known))
        super().__init__(self.wanted, self.known)

    def __str__(self) -> str:
        return f"no context source {list(self.wanted)!r}; registered are {list(self.known)!r}"


class MetricsError(OrchestrationError):
    """Raised for figures of a request that cannot be; nothing was recorded."""

    code = "invalid_metrics"


class RequestNotFoundError(OrchestrationError):
    """Raised when no approval request has the id."""

    code = "request_not_found"

    def __init__(self, request_id: str, pending: Iterable[str] = ()) -> None:
        self.request_id = request_id
        self.pending = tuple(pending)
        super().__init__(request_id, self.pending)

    def __str__(self) -> str:
        hint = f"pending are {list(self.pending)!r}" if self.pending else "none is pending"
        return f"approval request {self.request_id!r} not found; {hint}. Check the id and the URL."


class AmbiguousRequestError(RequestNotFoundError):
    """Raised when an abbreviated id fits several approval requests."""

    code = "ambiguous_request"

    def __init__(self, request_id: str, candidates: Iterable[str]) -> None:
        super().__init__(request_id, candidates)

    def __str__(self) -> str:
        return (
            f"{self.request_id!r} is the beginning of several approval requests: "
            f"{list(self.pending)!r}. Give more of the id."
        )


class DatabaseError(OrchestrationError):
    """Raised when a database URL cannot be understood or its database not used."""

    code = "database_error"


class EncryptionError(DatabaseError):
    """Raised when a stored value is not encrypted as it has to be, or no key opens it."""

    code = "encryption_error"


class CacheError(OrchestrationError):
    """Raised when a cache's URL or file cannot be used, or not for what is asked of it."""

    code = "cache_error"


class CacheUnreachableError(CacheError):
    """Raised when a cache does not answer now; calls are made without it."""

    code = "cache_unreachable"


class CompressionError(OrchestrationError):
    """Raised when messages, or a budget for them, are not what can be compressed."""

    code = "invalid_compression"


class PromptTooLongError(CompressionError):
    """Raised when even the least that is valid takes more tokens than the budget has."""

    code = "prompt_too_long"

    def __init__(self, max_tokens: int, least_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.least_tokens = least_tokens
        super().__init__(max_tokens, least_tokens)

    def __str__(self) -> str:
        return (
            f"these messages cannot be cut to {self.max_tokens} tokens: the least that is a valid "
            f"history takes {self.least_tokens}. Give a budget of at least that."
        )


class ConfigurationError(OrchestrationError):
    """Raised when a setting, or a variable of the environment, has a value that cannot be."""

    code = "invalid_configuration"


class RetrievalError(OrchestrationError):
    """Raised when documents cannot be retrieved as asked; no retriever was asked."""

    code = "invalid_retrieval"


class RetrievalFailedError(RetrievalError):
    """Raised when no retriever answered any query."""

    code = "retrieval_failed"

    def __init__(self, failures: Iterable[str]) -> None:
        self.failures = tuple(failures)
        """A line for each call."""
        super().__init__(self.failures)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {failure}" for failure in self.failures)
        return f"no retriever answered; nothing was retrieved:\n{lines}"


def _utc(seconds: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415  only needed when a message is shown

    if seconds == float("inf"):
        return "no set time"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

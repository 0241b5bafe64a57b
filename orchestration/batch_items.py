"""What a batch is made of, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, overload

from orchestration.run_options import check_options, new_id
from state.errors import ConfigurationError, PlanError, Problem
from state.jsonvalue import described
from state.status import WorkflowStatus
from state.workflow import Workflow

if TYPE_CHECKING:
    from orchestration.run_options import RunOptions
    from state.errors import OrchestrationError
    from state.jsonvalue import JsonObject
    from state.result import WorkflowResult
    from state.task import Task

LONGEST_BATCH_ID: Final = 100
ERROR: Final = "error"
"""Status of an item that has no result, because it could not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request of a batch: either tasks, or a workflow with its parameters."""

    tasks: Sequence[Task] | None = None
    workflow: Workflow | str | None = None
    """A definition, or the name of a registered one (`purchase`, `purchase@2`)."""
    parameters: Mapping[str, Any] | None = None
    key: str | None = None
    """Names the request within its batch, whenever it is gone on with; by default its place.
    Give one where requests may come in another order, or others in between."""
    tenant: str | None = None
    """By default that of the batch, as is `user`."""
    user: str | None = None

    def options(self, batch: RunOptions) -> RunOptions:
        """Return the options of the batch with what the item says itself."""
        said: RunOptions = {**batch}
        if self.tenant is not None:
            said["tenant"] = self.tenant
        if self.user is not None:
            said["user"] = self.user
        return said


Request: TypeAlias = "BatchItem | Workflow | Sequence[Task]"


class Batch(NamedTuple):
    """What is to be run, and how many at a time."""

    batch_id: str
    requests: Iterable[Request] | AsyncIterable[Request]
    max_concurrency: int


def batch_of(
    requests: Iterable[Request] | AsyncIterable[Request],
    options: RunOptions,
    *,
    batch_id: str | None,
    max_concurrency: int,
) -> Batch:
    """Check what is said of a batch.

    Raises:
        ConfigurationError: Something of it cannot be.
        PlanError: Nobody knows an option.
    """
    check_options(options)
    if options.get("thread_id") is not None:
        raise ConfigurationError(
            "thread_id is not for batches: each request has a thread of its own, batch_id:key"
        )
    if type(max_concurrency) is not int or max_concurrency < 1:
        raise ConfigurationError(
            f"max_concurrency is {described(max_concurrency)}; give a whole number from 1 on"
        )
    if isinstance(requests, str | Mapping) or not isinstance(requests, Iterable | AsyncIterable):
        raise ConfigurationError(
            f"requests is {described(requests)}; give an iterable, or an async one"
        )
    batch_id = new_id() if batch_id is None else batch_id
    if not isinstance(batch_id, str) or not 0 < len(batch_id.strip()) <= LONGEST_BATCH_ID:
        raise ConfigurationError(
            f"batch_id is {described(batch_id)}; give 1 to {LONGEST_BATCH_ID} characters"
        )
    if ":" in batch_id:
        raise ConfigurationError(f"batch_id is {batch_id!r}; it must not contain a colon")
    return Batch(batch_id, requests, max_concurrency)


def read_request(given: object) -> BatchItem:
    """Return what is to be run.

    Raises:
        PlanError: It is nothing that can be.
    """
    item = given
    if isinstance(given, Workflow):
        item = BatchItem(workflow=given)
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        item = BatchItem(tasks=given)
    if not isinstance(item, BatchItem):
        raise _bad(f"is {described(given)}; give a list of tasks, a Workflow, or a BatchItem")
    if (item.tasks is None) == (item.workflow is None):
        raise _bad("has to say either tasks or a workflow")
    if item.parameters is not None and item.workflow is None:
        raise _bad("has parameters, which only workflows take")
    if item.key is not None and (not isinstance(item.key, str) or not item.key.strip()):
        raise _bad(f"has the key {described(item.key)}; give a text, or None")
    return item


def _bad(what: str) -> PlanError:
    return PlanError([Problem("bad_request", f"the request {what}")])


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one request."""

    index: int
    """Its place among the requests, from 0 on."""
    key: str
    thread_id: str
    result: WorkflowResult | None = None
    error: OrchestrationError | None = None
    """Why there is no result."""

    @property
    def status(self) -> str:
        """The workflow's status, or `error`."""
        return ERROR if self.result is None else str(self.result.status)

    def as_json(self) -> JsonObject:
        """The item as a JSON object, for `--json` and logs."""
        error = self.error
        return {
            "index": self.index,
            "key": self.key,
            "thread_id": self.thread_id,
            "status": self.status,
            "result": None if self.result is None else self.result.as_json(),
            "error": None if error is None else {"code": error.code, "message": str(error)},
        }


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch is."""

    batch_id: str
    done: int
    total: int | None
    """None where nobody knows how many there are."""
    running: int
    """Begun and not done, those that another process runs included."""
    by_status: Mapping[str, int] = field(default_factory=dict)
    """Of those that are done."""


@dataclass(frozen=True, slots=True)
class BatchResult(Sequence[ItemResult]):
    """What became of the requests of a batch, in their order."""

    batch_id: str
    items: tuple[ItemResult, ...]

    @overload
    def __getitem__(self, key: int) -> ItemResult: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[ItemResult]: ...
    def __getitem__(self, key: int | slice) -> ItemResult | Sequence[ItemResult]:
        """Return the item at a place."""
        return self.items[key]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ItemResult]:
        return iter(self.items)

    @property
    def counts(self) -> dict[str, int]:
        """How many items have which status."""
        return dict(Counter(each.status for each in self.items))

    @property
    def completed(self) -> tuple[ItemResult, ...]:
        """Those whose workflow was completed."""
        return tuple(each for each in self.items if each.status == WorkflowStatus.COMPLETED)

    @property
    def interrupted(self) -> tuple[ItemResult, ...]:
        """Those that wait for a person, a time or a signal."""
        return tuple(each for each in self.items if each.status == WorkflowStatus.INTERRUPTED)

    @property
    def failed(self) -> tuple[ItemResult, ...]:
        """All others: with an error, or with a workflow that did not do all it should."""
        good = {WorkflowStatus.COMPLETED, WorkflowStatus.INTERRUPTED}
        return tuple(each for each in self.items if each.status not in good)

    @property
    def cost(self) -> float:
        """Sum of what the agents said they cost."""
        return sum(each.result.cost for each in self.items if each.result is not None)

    def as_json(self) -> JsonObject:
        """The result as a JSON object."""
        return {
            "batch_id": self.batch_id,
            "counts": {**self.counts},
            "items": [each.as_json() for each in self.items],
        }

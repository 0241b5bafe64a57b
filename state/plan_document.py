"""The documents that a plan is made of: JSON all through, as they are stored and compared."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from state.approval import PolicyDocument
from state.budget import BudgetDocument
from state.caching import CacheDocument
from state.failure_mode import FailureModeDocument
from state.jsonvalue import JsonObject, JsonValue
from state.outcome import Outcome
from state.retry import RetryDocument
from state.waiting import WaitDocument

PLAN_SCHEMA = 4
"""Version of the documents below; stored with every plan."""

AGGREGATE, COMPENSATE, ROUTER, LOADER = "aggregate", "compensate", "router", "plan"
RESERVED_NODES = frozenset({AGGREGATE, COMPENSATE, ROUTER, LOADER})
"""Names of nodes that are no task."""
END_NODE = "__end__"
"""LangGraph's name of the end; to import it from there would cost the loading of LangGraph."""
SUPERVISOR, HANDOFF = "supervisor", "handoff"
"""The node of a cyclic plan that says whose turn is next: with a supervisor, and without."""
FINISH = "finish"
"""What a supervisor answers when nothing is left to do."""
CYCLIC_NODES = frozenset({SUPERVISOR, HANDOFF})
OF_A_CYCLE: tuple[Literal["turn", "current", "handoff"], ...] = ("turn", "current", "handoff")
"""What a cyclic plan says of where the cycle stands; any other plan has none of it."""
ENTER, AGAIN, ITEM, LEAVE = ".enter", ".again", ".item", ".leave"
"""What the names of the nodes around a plan inside a task end in, after the task's id."""
INSIDE = "/"
"""Stands between a task and what is inside it, in run ids and in the paths of tasks."""
MOST_ITEMS = 10_000
"""What one task with `for_each` may be done for."""


class CelDocument(TypedDict):
    """An expression in the Common Expression Language."""

    kind: Literal["cel"]
    expression: str


class CallableDocument(TypedDict):
    """A Python callable, found by its key in the process that started the thread."""

    kind: Literal["callable"]
    key: str
    """Unique within the plan, e.g. `condition/finance`."""
    name: str
    takes_argument: bool


class MapDocument(TypedDict):
    """CEL expressions tried in order; the first that holds gives its target."""

    kind: Literal["map"]
    cases: list[list[str]]
    """Pairs of expression and target."""


ExpressionDocument = CelDocument | CallableDocument
RouterDocument = CelDocument | CallableDocument | MapDocument


class AggregateDocument(TypedDict):
    """How the outputs become one value."""

    kind: Literal["collect", "merge", "first_success", "majority", "summary", "callable"]
    callable: NotRequired[CallableDocument]


class Work(TypedDict):
    """What an agent is to be called for: a task, or the compensation of one."""

    agent: str | None
    capability: str | None
    input: JsonObject
    timeout_seconds: float | None
    retry: RetryDocument | None
    input_from: NotRequired[dict[str, str]]
    """CEL expressions for fields of the input; only there where there are some."""
    cache: NotRequired[CacheDocument | bool]
    """Whether its answer may come from a cache, and how; absent is what its agent says."""
    compress_to: NotRequired[int]
    """Most tokens of its input's messages."""
    context: NotRequired[list[str]]
    """Context sources whose values its agent gets."""


class RepeatDocument(TypedDict):
    """How often a body is done."""

    until: ExpressionDocument
    max_turns: int


class ForEachDocument(TypedDict):
    """For what a body is done."""

    items: list[JsonValue] | str
    """The values, or a CEL expression for them."""
    single: bool
    """Whether the body is one task, whose output stands for that of the item."""
    max_concurrency: int | None
    on_failure: FailureModeDocument


class PlannedTask(Work):
    """One task of a plan."""

    id: str
    needs: list[str]
    """Tasks that must not have failed."""
    upstream: list[str]
    """Tasks whose outputs the agent gets."""
    condition: ExpressionDocument | None
    approval: PolicyDocument | bool | None
    """Read it with `policy_of`: plans of schema 1 only say whether one is needed."""
    compensate: NotRequired[Work]
    """How to undo it; only there where it can be."""
    body: NotRequired[PlanDocument]
    """The plan inside it, for a task that is made of others."""
    repeat: NotRequired[RepeatDocument]
    """Only with `body`."""
    for_each: NotRequired[ForEachDocument]
    """Only with `body`."""
    wait: NotRequired[WaitDocument]
    """Instead of an agent."""
    budgeted: NotRequired[bool]
    """Whether a budget of the run may pause it before the agent is called."""


class Region(TypedDict):
    """A part of a plan's shape.

    `task` is a leaf. `series` runs its parts one after another, `parallel` all at once and
    without waiting for each other; the tasks of a `mesh` cannot be told apart like that.
    """

    kind: Literal["task", "series", "parallel", "mesh"]
    tasks: list[str]
    """Every task in it, in plan order."""
    parts: NotRequired[list[Region]]


class Handoff(TypedDict):
    """What the task whose turn it is gets from the one before it."""

    sender: str
    message: str
    reason: str


class ScopeSeed(TypedDict):
    """How a plan inside a task stood, to go on from there."""

    outcomes: dict[str, Outcome]
    approvals: dict[str, JsonObject]
    route: JsonObject
    turn: NotRequired[int]
    turns: NotRequired[list[JsonObject]]
    current: NotRequired[str]
    handoff: NotRequired[Handoff]


class Seed(TypedDict):
    """What a run begins with that is a fork of another, or goes on under a new version."""

    outcomes: dict[str, Outcome]
    route: NotRequired[dict[str, str]]
    turns: NotRequired[list[JsonObject]]
    """Of a cycle, what was decided so far."""
    approvals: NotRequired[dict[str, JsonObject]]
    scopes: NotRequired[dict[str, ScopeSeed]]
    """By the path of the task; of a loop, without its turn."""
    foreign: NotRequired[list[str]]
    """Tasks that another run did, so that this one never undoes them; without it, all."""


class Definition(TypedDict):
    """Which named workflow a plan was made from."""

    name: str
    version: str
    chosen: NotRequired[list[str]]
    """Keys of the plan that whoever began the run chose, whatever the workflow says."""


class RequestDocument(TypedDict):
    """What somebody asked for in plain words, where a plan was made from that."""

    messages: list[JsonObject]
    """As they were given."""
    planner: str
    """Who made the plan."""
    assumptions: list[str]
    not_understood: list[str]
    """Sentences for the user; where there are any, the plan has no tasks."""


class Supervision(TypedDict):
    """Who decides whose turn it is in a cyclic plan, and when it ends."""

    start: str | None
    """The first task; None leaves it to the supervisor."""
    router: RouterDocument | None
    agent: Work | None
    """The supervisor, if it is an agent."""
    until: ExpressionDocument | None
    max_turns: int


class Scope(TypedDict):
    """Where a plan inside a task stands; only in the state."""

    task: str
    """The task's id in the plan around it, or the number of the item."""
    started_at: float
    turn: NotRequired[int]
    """Of the plan around it."""
    single: NotRequired[bool]
    """Whether the output of its one task stands for its own."""


class Item(TypedDict):
    """What the body of a `ForEach` is done for; only in the state."""

    index: int
    value: JsonValue


class PlanDocument(TypedDict):
    """A whole plan, as it stands in the state and in the thread's row."""

    schema: int
    run_id: str
    strategy: str
    """A `CoordinationStrategy`, as plain text."""
    order: list[str]
    tasks: dict[str, PlannedTask]
    layout: Region
    waits: dict[str, list[str]]
    """Which task will wait for which others without building on them."""
    on_failure: FailureModeDocument
    aggregate: AggregateDocument | None
    router: RouterDocument | None
    router_input: JsonObject | None
    tenant: str | None
    user: str | None
    seed: NotRequired[Seed]
    """There only in a fork, and after an upgrade; what it holds is not done again."""
    history: NotRequired[list[JsonObject]]
    """The thread's last messages; only in the state, and only where there are some."""
    definition: NotRequired[Definition]
    request: NotRequired[RequestDocument]
    session: NotRequired[bool]
    """Whether what the run comes to is kept when its thread begins another."""
    budgets: NotRequired[list[BudgetDocument]]
    """What the run may use up; absent is no limit."""
    retry_budget: NotRequired[int]
    """How often the run may call an agent again, over all of its tasks; absent is no limit."""
    parameters: NotRequired[JsonObject]
    supervision: NotRequired[Supervision]
    """Only in cyclic plans."""
    turn: NotRequired[int]
    """Only in the state, of a loop or a cycle; from 1 on."""
    current: NotRequired[str]
    """Only in the state, of a cycle: the task whose turn it is."""
    handoff: NotRequired[Handoff]
    """Only in the state, of a cycle."""
    scope: NotRequired[Scope]
    """Only in the state, of a plan inside a task."""
    item: NotRequired[Item]
    repeat: NotRequired[RepeatDocument]
    """Only in the state, of a plan that is done in turns."""
    for_each: NotRequired[ForEachDocument]
    """Only in the state, of the items of a list."""

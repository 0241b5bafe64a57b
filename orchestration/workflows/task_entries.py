"""What a workflow file may say: keys, types and bounds, as pydantic models.

Which keys go together is said twice: in `contradictions`, for good messages, and here as
`json_schema_extra`, for the published schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from orchestration.documents.cache_entry import Caching
from orchestration.documents.entry import Entry, exactly_one, given
from orchestration.documents.version import Version
from orchestration.workflows.approval_entry import RequiresApproval
from orchestration.workflows.budget_entry import BudgetEntry
from orchestration.workflows.entry import Cel, OnFailure, RouterEntry, Turns
from orchestration.workflows.parameters import schema_problem
from orchestration.workflows.patterns import NAME
from orchestration.workflows.wait_entries import WaitEntry, WaitForSignalEntry
from orchestration.workflows.work_entries import (
    AGENT_KINDS,
    IS_FOR_AN_AGENT,
    TWO_MESSAGES,
    CompensationEntry,
    SupervisorEntry,
    WorkEntry,
)
from state.task import DEFAULT_TURNS

WAITING_KINDS: Final = ("wait", "wait_for_signal")
KINDS: Final = (*AGENT_KINDS, "workflow", "repeat", "for_each", *WAITING_KINDS)
"""A task has exactly one of these."""
AGENT_KEYS: Final = (
    "input_data",
    "message",
    "input_from",
    "timeout_seconds",
    "retry",
    "cache",
    "compress_to",
    "context",
)
"""Keys that only a task for an agent has."""
REPEATED: Final = ("tasks", "workflow")
FOR_ITEMS: Final = ("task", "tasks", "workflow")


def _written(value: object) -> str | None:
    return "<name>" if isinstance(value, str) else "<inline>" if _is_mapping(value) else None


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping | Entry)


def _supervising(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return "<cel>" if isinstance(value, str) else None
    return "<task>" if any(key in value for key in AGENT_KINDS) else "<map>"


WorkflowReference = Annotated[
    Annotated[str, Field(min_length=1), Tag("<name>")]
    | Annotated["WorkflowEntry", Tag("<inline>")],
    Discriminator(
        _written,
        custom_error_type="workflow",
        custom_error_message="use the name of a workflow, the path of a file, or a mapping",
    ),
]
Supervisor = Annotated[
    Annotated[Cel, Tag("<cel>")]
    | Annotated[dict[str, str], Tag("<map>")]
    | Annotated[SupervisorEntry, Tag("<task>")],
    Discriminator(
        _supervising,
        custom_error_type="supervisor",
        custom_error_message="use a CEL expression, a map of CEL conditions to task ids, or a "
        "mapping with agent_id or capability",
    ),
]


class RepeatEntry(Entry):
    """Tasks that are done again and again."""

    model_config = ConfigDict(json_schema_extra=exactly_one(REPEATED))

    tasks: list[TaskEntry] | None = Field(None, min_length=1)
    workflow: WorkflowReference | None = None
    """Instead of `tasks`."""
    until: Cel
    """CEL, asked after each turn; knows `turn`, from 1 on."""
    max_turns: Turns = DEFAULT_TURNS


def _items(value: object) -> object:
    if isinstance(value, str | list):
        return value
    raise PydanticCustomError("items", "use a list, or a CEL expression for one")


class ForEachEntry(Entry):
    """The same work for every item of a list."""

    model_config = ConfigDict(json_schema_extra=exactly_one(FOR_ITEMS))

    items: Annotated[
        str | list[JsonValue],
        BeforeValidator(_items, json_schema_input_type=Cel | list[JsonValue]),
    ]
    """A list, or a CEL expression for one, e.g. `outputs.search.hits`."""
    task: TaskEntry | None = None
    """Its output is the item's; it knows `item` and `index`."""
    tasks: list[TaskEntry] | None = Field(None, min_length=1)
    """Instead of `task`: a sequence."""
    workflow: WorkflowReference | None = None
    """Instead of `task`."""
    max_concurrency: int | None = Field(None, ge=1)
    """Agent calls at the same time; without it there is no limit."""
    on_failure: OnFailure = None
    """By default `continue`."""


class TaskEntry(WorkEntry):
    """One task. It has exactly one of the keys that say what it does."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                exactly_one(KINDS),
                {"not": TWO_MESSAGES},
                {
                    "if": IS_FOR_AN_AGENT,
                    "else": {
                        "properties": {
                            **dict.fromkeys(AGENT_KEYS, False),
                            "compensate": {"anyOf": [{"type": "null"}, IS_FOR_AN_AGENT]},
                        }
                    },
                },
                {
                    "if": {"anyOf": [given(key) for key in WAITING_KINDS]},
                    "then": {"properties": {"requires_approval": {"const": False}}},
                },
            ]
        }
    )

    input_from: dict[str, Cel] = Field(default_factory=dict)
    """Fields of the input to CEL expressions, worked out when the task's turn comes."""
    cache: Caching = None
    """Whether the answer may come from a cache: `true`, or how, says that the task changes
    nothing; by default it is as its agent says."""
    compress_to: int | None = Field(None, ge=1)
    """Most tokens that the messages of its input may have."""
    context: list[str] = Field(default_factory=list)
    """Context sources of the optimizer whose values the agent gets in its input's `context`."""
    workflow: WorkflowReference | None = None
    """A whole workflow as one task: a registered name, `name@version`, the path of a file
    relative to this one, or a mapping."""
    repeat: RepeatEntry | None = None
    for_each: ForEachEntry | None = None
    wait: WaitEntry | None = None
    wait_for_signal: WaitForSignalEntry | None = None
    task_id: str | None = None
    """By default named after what it does."""
    depends_on: list[str] = Field(default_factory=list)
    """Task ids that must be done first."""
    condition: str | None = None
    """CEL; the task is skipped where it is false."""
    requires_approval: RequiresApproval = None
    """`true`, or who decides, until when."""
    compensate: CompensationEntry | None = None
    """How the task is undone if the workflow comes to nothing."""


def _schema(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if problem := schema_problem(value):
        raise PydanticCustomError("parameters", "{problem}", {"problem": problem})
    return value


class WorkflowEntry(Entry):
    """A workflow: tasks, and how they belong together."""

    schema_url: str | None = Field(None, alias="$schema")
    """For editors."""
    name: str | None = Field(None, pattern=NAME)
    """By default the name of the file without its suffix."""
    version: Version = "1"
    """Give a new one whenever the workflow changes."""
    description: str = ""
    strategy: Literal["sequential", "parallel", "conditional", "cyclic"] = "sequential"
    on_failure: OnFailure = None
    """What a failure means for the other tasks."""
    aggregate: Literal["collect", "merge", "first_success", "majority"] | None = None
    """How the outputs become one value."""
    router: RouterEntry = None
    """Of a conditional workflow: CEL, or a map of CEL conditions to targets, tried in order."""
    input_data: dict[str, JsonValue] | None = None
    """What the router sees; by default the first task's."""
    budgets: list[BudgetEntry] = Field(default_factory=list)
    """What a run may use up, unless it is given a budget of its own."""
    supervisor: Supervisor | None = None
    """Of a cyclic workflow: says after each turn whose turn is next, or that it is finished."""
    start: str | None = None
    """Of a cyclic workflow: whose turn is first."""
    until: Cel | None = None
    """Of a cyclic workflow: CEL that ends it, asked after each turn."""
    max_turns: Turns = DEFAULT_TURNS
    """Of a cyclic workflow."""
    parameters: (
        Annotated[
            dict[str, JsonValue],
            AfterValidator(_schema),
            WithJsonSchema(
                {"$ref": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
            ),
        ]
        | None
    ) = None
    """JSON Schema of the parameters of a run, which expressions know as `parameters`."""
    tasks: list[TaskEntry] = Field(min_length=1)

"""What an agents file may say: keys, types and bounds, as pydantic models.

Which keys go together is said twice: in `contradictions`, for good messages, and here as
`json_schema_extra`, for the published schema.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from orchestration.agents.configuration.policy_entries import (
    BreakerEntry,
    Cost,
    Count,
    OutlierEntry,
    PointEntry,
    PriceEntry,
    ProbeEntry,
    RampEntry,
    ResilienceEntry,
    Weight,
)
from orchestration.agents.endpoint import LOCAL_KINDS
from orchestration.agents.kinds import KINDS
from orchestration.documents.cache_entry import CacheEntry, Caching
from orchestration.documents.entry import Entry, exactly_one, given
from orchestration.documents.patterns import VERSION, VERSION_WORDS
from orchestration.documents.times import Duration
from orchestration.documents.version import Version
from orchestration.documents.wording import Wording

ID: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
"""Of agents and endpoints, as `orchestration.agents.spec.AGENT_ID`."""
REMOTE_KINDS: Final = tuple(kind for kind in KINDS if kind not in LOCAL_KINDS)
PLACES: Final = ("endpoint", "endpoints")
"""A version has exactly one of these."""
OF_A_VERSION: Final = ("version", "weight", "ramp", "shadow", *PLACES)
"""Keys that an agent with `versions` leaves to them."""


def _kind(value: object) -> object:
    if value is None or value in REMOTE_KINDS:
        return value
    if isinstance(value, str) and value in LOCAL_KINDS:
        words = "agents of this kind live in a process: register them in Python"
    else:
        close = difflib.get_close_matches(str(value), REMOTE_KINDS, 1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        words = f"use one of {', '.join(REMOTE_KINDS)}{meant}"
    raise PydanticCustomError("kind", "{words}", {"words": words})


KindName = Annotated[
    str | None,
    BeforeValidator(
        _kind,
        json_schema_input_type=Annotated[str, Field(json_schema_extra={"enum": [*REMOTE_KINDS]})]
        | None,
    ),
]
Settings = dict[str, JsonValue]
NonEmpty = Annotated[str, Field(min_length=1)]


class EndpointEntry(Entry):
    """One place where a version of an agent can be reached."""

    id: str | None = Field(None, pattern=ID)
    """Unique in the version; may be left out where there is only one."""
    kind: KindName = None
    """How to speak with it; by default the version's, or guessed from the address."""
    address: NonEmpty
    """A URL, or Google's resource name; `${NAME}` is a variable of the environment."""
    settings: Settings = Field(default_factory=dict)
    """Of the kind; they come before those of the version and the agent, key by key."""
    weight: Weight = 1
    """Its share of calls beside the others of its priority; 0 gets none."""
    priority: int = 0
    """Endpoints of a lower priority get calls only while none of a higher one can."""
    cost: Cost | None = None
    """What a call costs; by default what the version says."""
    max_concurrency: Count | None = None
    """Calls at the same time, in one process; by default what the version says."""
    enabled: bool = True
    metadata: Settings = Field(default_factory=dict)


class SharedEntry(Entry):
    """What an agent says for all its versions, and a version for itself."""

    capabilities: list[Annotated[str, Field(pattern=r"[^\s_-]")]] = Field(default_factory=list)
    """What it can do, in any words, e.g. `ticket_purchase`."""
    description: str = ""
    kind: KindName = None
    """How to speak with its endpoints; by default guessed from their addresses."""
    settings: Settings = Field(default_factory=dict)
    """Of the kind, for all its endpoints; `${NAME}` is a variable of the environment."""
    priority: int = 0
    """Of several agents for a capability, and of several versions, the highest is chosen."""
    cost: Cost | None = None
    """Price of a call: a number, or a mapping."""
    read_only: bool = False
    """Whether it changes nothing anywhere."""
    idempotent: bool = False
    """Whether all its endpoints together recognise a call's idempotency key."""
    max_concurrency: Count | None = None
    """Calls at the same time, in one process; of each endpoint that says nothing itself."""
    max_queue: Annotated[int, Field(ge=0)] | None = None
    """Calls that may wait for a free endpoint, in one process; without it there is no limit."""
    queue_timeout: Duration = None
    """How long a call may wait for one: seconds, or a text such as `30s` or `2m`."""
    balancing: Literal["weighted_round_robin", "least_outstanding", "latency", "cost"] = (
        "weighted_round_robin"
    )
    """How an endpoint is picked."""
    resilience: ResilienceEntry | None = None
    """What becomes of endpoints that fail."""
    cache: Caching = None
    """How answers are used again, of an agent that is `read_only`: `true`, `false`, or how; by
    default as the coordinator's optimizer says."""
    compress_to: Count | None = None
    """Most tokens of the messages that it is given."""
    context: list[NonEmpty] = Field(default_factory=list)
    """Context sources of the optimizer whose values it gets in its input's `context`."""
    enabled: bool = True
    metadata: Settings = Field(default_factory=dict)
    """Whatever you like; a version's come before the agent's, key by key."""


class PlacedEntry(SharedEntry):
    """Where a version is, and which share it gets."""

    weight: Weight = 1
    """Share of the threads that get this version, beside others of its priority."""
    ramp: RampEntry | None = None
    """How the weight grows, instead of `weight`."""
    shadow: float = Field(0, ge=0, le=1)
    """Share of the agent's calls that it gets a copy of; only if it is `read_only`."""
    endpoint: str | None = Field(None, min_length=1)
    """Where it is, if it is in one place: a URL, or Google's resource name."""
    endpoints: list[EndpointEntry] | None = Field(
        None,
        min_length=1,
        json_schema_extra={"if": {"minItems": 2}, "then": {"items": given("id")}},
    )
    """Where it is, if it is in several places."""


_TWO_WEIGHTS: Final[dict[str, Any]] = {"not": {"allOf": [given("weight"), given("ramp")]}}


class VersionEntry(PlacedEntry):
    """One of several versions; what it does not say, the agent says for all."""

    model_config = ConfigDict(json_schema_extra={"allOf": [exactly_one(PLACES), _TWO_WEIGHTS]})

    version: Version
    """Number or text; kept as it is written."""


class AgentEntry(PlacedEntry):
    """One agent: in one place, in several, or in several versions."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                exactly_one(("versions", *PLACES)),
                _TWO_WEIGHTS,
                {
                    "if": given("versions"),
                    "then": {"not": {"anyOf": [given(key) for key in OF_A_VERSION]}},
                },
            ]
        }
    )

    id: str = Field(pattern=ID)
    """Who it is; `ticketing`, `sales`, `finance` and `hr` take the place of the built-in ones."""
    name: str | None = None
    """How people call it; by default the id."""
    version: Version = "1"
    versions: list[VersionEntry] | None = Field(None, min_length=1)
    """Threads are shared out among them by their weights."""


class AgentsEntry(Entry):
    """Which agents there are."""

    schema_url: str | None = Field(None, alias="$schema")
    """For editors."""
    agents: list[AgentEntry]


WORDING: Final = Wording(
    whole=AgentsEntry,
    inside={
        "agents": AgentEntry,
        "versions": VersionEntry,
        "endpoints": EndpointEntry,
        "cache": CacheEntry,
        "cost": PriceEntry,
        "ramp": RampEntry,
        "points": PointEntry,
        "resilience": ResilienceEntry,
        "breaker": BreakerEntry,
        "outliers": OutlierEntry,
        "probe": ProbeEntry,
    },
    patterns={
        ID: "use 1 to 64 letters, digits, '_', '-' or '.'",
        VERSION: VERSION_WORDS,
        r"\S": "should not be blank",
        r"[^\s_-]": "a capability needs a name, e.g. 'ticket_purchase'",
    },
    tags=frozenset({"<number>", "<price>", "<on>", "<off>"}),
)

"""What is known of one endpoint while it serves; changed only under its pool's lock."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from checkpoints.traffic import Place
from orchestration.routing.breaker import CLOSED, Breaker
from orchestration.routing.outliers import Tally

if TYPE_CHECKING:
    from orchestration.agents.connector import Connector
    from orchestration.agents.endpoint import Endpoint
    from orchestration.routing.policies import Resilience

HALF_LIFE_SECONDS: Final = 30.0
"""In this time without calls, half of what is known of an endpoint's latency is forgotten."""
SMOOTHING: Final = 0.3
"""The share of the latest call in the moving average."""


@dataclass(slots=True, eq=False)
class EndpointState:
    """One endpoint: what it is, what it is doing, what is held against it."""

    agent_id: str
    version: str
    place: Endpoint
    resilience: Resilience
    switch: str = "enabled"
    """`enabled`, `disabled` or `draining`, as a person said."""
    outstanding: int = 0
    """Calls under way in this process."""
    breaker: Breaker = CLOSED
    agreed: Breaker = CLOSED
    """The breaker as all processes knew it when this one last read or wrote that."""
    ejected_until: float = 0.0
    ejections: int = 0
    """In a row."""
    ejected_why: str = ""
    limited_until: float = 0.0
    """It asked for no calls until then."""
    failed_probes: int = 0
    """In a row, of health probes."""
    tally: Tally = field(default_factory=Tally)
    latency: float | None = None
    """Moving average of its calls, in seconds; None before the first."""
    latency_at: float = 0.0
    price: float = 0.0
    """Of a call: what is configured, then a moving average of what calls did cost."""
    calls: int = 0
    failures: int = 0
    cost: float = 0.0
    last_call_at: float = 0.0
    last_probe_at: float = 0.0
    next_probe_at: float = 0.0
    """Set by whoever probes; 0 before it has been thought of."""
    can_be_probed: bool = True
    """Whether its kind has a way to ask; found out when it is first asked."""
    revision: int = 0
    """Of what the processes share, as it was last read or written."""
    serving: bool = False
    """Whether it is among those that calls are spread over."""
    turn: float = 0.0
    """When its turn is next, in the balancer's own time."""
    has_left: bool = False
    """Whether it is registered no more, and only ends what it has."""
    stamp: int = 0
    """Tells whether what a balancer holds of it is out of date."""

    connector: Connector | None = None
    """Made when it is first called."""

    @property
    def key(self) -> Place:
        """Under which the processes know it."""
        return Place(self.agent_id, self.version, self.place.endpoint_id)

    @property
    def id(self) -> str:
        """Its id, unique within the version."""
        return self.place.endpoint_id

    @property
    def whereabouts(self) -> str:
        """Tells apart the places that its id has stood for, without naming them."""
        where = f"{self.place.kind} {self.place.address or ''}"
        return hashlib.sha256(where.encode()).hexdigest()[:16]

    @property
    def load(self) -> float:
        """Calls under way, for its weight."""
        return self.outstanding / self.place.weight

    def expected_latency(self, now: float) -> float:
        """How long one more call would take, by its recent calls and by those under way."""
        if self.latency is None:
            return 0.0
        idle = max(0.0, now - self.latency_at)
        faded = self.latency * math.pow(0.5, idle / HALF_LIFE_SECONDS)
        return faded * (self.outstanding + 1) / self.place.weight

    def measured(self, seconds: float, now: float) -> None:
        """Take one call's time into the average."""
        before = self.latency
        self.latency = seconds if before is None else before + SMOOTHING * (seconds - before)
        self.latency_at = now

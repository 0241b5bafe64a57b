"""What an agents file may say about costs, ramps and resilience, as pydantic models.

Keys and defaults are those of `Price`, `Ramp` and the policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from orchestration.agents.price import MOST, Price
from orchestration.documents.entry import Entry, given
from orchestration.documents.times import LONGEST, Duration, Written, duration, moment
from orchestration.routing.policies import (
    BreakerPolicy,
    OutlierPolicy,
    ProbePolicy,
    Ramp,
    Resilience,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Policy = TypeVar("Policy", bound=DataclassInstance)

_LAST: Final = datetime.max.replace(tzinfo=UTC).timestamp()
TOKEN_PRICES: Final = ("per_million_input", "per_million_output")
_BREAKER, _OUTLIERS, _PROBE = BreakerPolicy(), OutlierPolicy(), ProbePolicy()

Amount = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class PriceEntry(Entry):
    """What a call costs."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {"allOf": [given("model"), {"anyOf": [given(key) for key in TOKEN_PRICES]}]},
            "if": given("provider"),
            "then": given("model"),
        }
    )

    per_call: Amount = 0
    """Each time."""
    model: str | None = Field(None, pattern=r"\S")
    """A model whose token prices `genai-prices` knows, e.g. `gemini-2.5-flash`."""
    provider: str | None = Field(None, pattern=r"\S")
    """Whose model, e.g. `google`; guessed if not given."""
    per_million_input: Amount | None = None
    """For input tokens; instead of `model`."""
    per_million_output: Amount | None = None
    """For output tokens; instead of `model`."""

    def price(self) -> Price:
        """Say it in the registry's terms."""
        return Price(**self.model_dump())


def _cost(value: object) -> str | None:
    if isinstance(value, Mapping | PriceEntry):
        return "<price>"
    return "<number>" if isinstance(value, int | float) and not isinstance(value, bool) else None


Cost = Annotated[
    Annotated[Amount, Tag("<number>")] | Annotated[PriceEntry, Tag("<price>")],
    Discriminator(
        _cost,
        custom_error_type="cost",
        custom_error_message="use a number, or a mapping with per_call, model and so on",
    ),
]


def _after(value: object) -> timedelta:
    return timedelta(0) if value == 0 and not isinstance(value, bool) else duration(value)


class PointEntry(Entry):
    """One point of a ramp."""

    after: Annotated[
        timedelta,
        BeforeValidator(
            _after,
            json_schema_input_type=Annotated[float, Field(ge=0, le=LONGEST.total_seconds())]
            | Written,
        ),
    ]
    """How long after `since`: seconds, or a text such as `30m` or `1d 12h`."""
    weight: Weight
    """The weight then; in between it grows evenly."""


def _since(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value < _LAST:  # type: ignore[operator]  # it is a number here
        return float(value)  # type: ignore[arg-type]  # and here
    return moment(value).timestamp()


class RampEntry(Entry):
    """How a version's weight grows."""

    since: Annotated[
        float,
        BeforeValidator(
            _since,
            json_schema_input_type=Annotated[float, Field(ge=0, lt=_LAST)]
            | Annotated[str, Field(json_schema_extra={"format": "date-time"})],
        ),
    ]
    """A moment with its time zone, e.g. `2026-12-01T09:00:00+01:00`, or seconds since 1970."""
    points: list[PointEntry] = Field(min_length=1)
    """In the order of their times."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        times = [point.after for point in self.points]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise PydanticCustomError("ramp", "each point has to come after the one before it")
        return self

    def ramp(self) -> Ramp:
        """Say it in the registry's terms."""
        points = tuple((point.after.total_seconds(), point.weight) for point in self.points)
        return Ramp(since=self.since, points=points)


class PolicyEntry(Entry):
    """Some of a policy's values; the others keep their defaults."""

    def over(self, policy: Policy) -> Policy:
        """Return a policy with what is said here instead."""
        said: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        return replace(policy, **said)


class BreakerEntry(PolicyEntry):
    """When an endpoint gets no more calls, and when it gets one again."""

    failures: Count = _BREAKER.failures
    """This many in a row open it."""
    failure_rate: Share = _BREAKER.failure_rate
    """So does this share of the last `window` calls, if there were `least_calls`."""
    window: Count = _BREAKER.window
    least_calls: Count = _BREAKER.least_calls
    open_for: Duration = None
    """Then a call is let through as a probe; by default `10s`."""
    longest_open: Duration = None
    """Each probe that fails doubles the time, up to this; by default `5m`."""
    probes: Count = _BREAKER.probes
    """This many in a row have to succeed to close it again."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        policy = self.over(_BREAKER)
        if policy.longest_open < policy.open_for:
            raise _too_short("longest_open", policy.longest_open, "open_for", policy.open_for)
        if policy.least_calls > policy.window:
            message = "least_calls ({least}) is more than window ({window}), so never reached"
            context = {"least": policy.least_calls, "window": policy.window}
            raise PydanticCustomError("breaker", message, context)
        return self


class OutlierEntry(PolicyEntry):
    """When an endpoint that does worse than the others is left out for a while."""

    most_ejected: Share = _OUTLIERS.most_ejected
    """Share of the endpoints that may be without calls for one more to be ejected."""
    least_calls: Count = _OUTLIERS.least_calls
    """Calls of an endpoint within `interval` before it is judged."""
    interval: Duration = None
    """By default `30s`."""
    success_gap: Share = _OUTLIERS.success_gap
    """It is ejected if its success rate is lower than the others' median by more than this."""
    latency_factor: Factor = _OUTLIERS.latency_factor
    """Or if its mean latency is more than this many times the others' median,"""
    latency_gap: Duration = None
    """and by more than this above it; by default 0.05 seconds."""
    ejected_for: Duration = None
    """Times how often it was ejected in a row; by default `30s`."""
    longest: Duration = None
    """Up to this; by default `5m`."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        policy = self.over(_OUTLIERS)
        if policy.longest < policy.ejected_for:
            raise _too_short("longest", policy.longest, "ejected_for", policy.ejected_for)
        return self


class ProbeEntry(PolicyEntry):
    """How endpoints that get no calls are asked whether they are well."""

    every: Duration = None
    """Give or take a fifth; by default `10s`."""
    timeout: Duration = None
    """By default `2s`."""
    failures: Count = _PROBE.failures
    """This many failed probes in a row make an endpoint unhealthy."""


def _switch(value: object) -> str | None:
    if isinstance(value, Mapping | PolicyEntry):
        return "<on>"
    return "<off>" if value is False else None


_SWITCH: Final = Discriminator(
    _switch,
    custom_error_type="switch",
    custom_error_message="use a mapping, or false to do without",
)
_Off = Annotated[Literal[False], Tag("<off>")]
_Breaker = Annotated[Annotated[BreakerEntry, Tag("<on>")] | _Off, _SWITCH]
_Outliers = Annotated[Annotated[OutlierEntry, Tag("<on>")] | _Off, _SWITCH]
_Probe = Annotated[Annotated[ProbeEntry, Tag("<on>")] | _Off, _SWITCH]


class ResilienceEntry(Entry):
    """How the endpoints are watched, and when a call is made elsewhere."""

    breaker: _Breaker = BreakerEntry()
    """`false` leaves failing endpoints in."""
    outliers: _Outliers = OutlierEntry()
    """`false` leaves endpoints in that do worse than the others."""
    probe: _Probe = ProbeEntry()
    """`false` asks no endpoint how it is."""
    failovers: int = Field(2, ge=0)
    """Other endpoints that one attempt at a task may be tried at, where that is safe."""

    def resilience(self) -> Resilience:
        """Say it in the registry's terms."""
        return Resilience(
            breaker=self.breaker.over(_BREAKER) if self.breaker else None,
            outliers=self.outliers.over(_OUTLIERS) if self.outliers else None,
            probe=self.probe.over(_PROBE) if self.probe else None,
            failovers=self.failovers,
        )


def _too_short(key: str, value: timedelta, other: str, least: timedelta) -> PydanticCustomError:
    words = "{key} ({value:g} s) is shorter than {other} ({least:g} s)"
    said = words.format(
        key=key, value=value.total_seconds(), other=other, least=least.total_seconds()
    )
    return PydanticCustomError("too_short", "{said}", {"said": said})

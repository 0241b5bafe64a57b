"""What is known of an agent: who it is, what it can do, how to reach it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack

from nodes.ports import NO_SETTINGS, CallSettings
from orchestration.agents.endpoint import Endpoint, kind_of
from orchestration.agents.kinds import KINDS
from orchestration.agents.price import Price
from orchestration.agents.price import problems as price_problems
from orchestration.routing.policies import (
    BALANCING,
    WEIGHTED_ROUND_ROBIN,
    Ramp,
    Resilience,
)
from state.caching import CachePolicy
from state.capability import AgentCapability
from state.errors import RegistrationError
from state.jsonvalue import described

if TYPE_CHECKING:
    from orchestration.agent_registry import AgentRegistry
    from orchestration.agents.chat import AgentReply, ChatOptions, Message

AGENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One version of one agent.

    Args:
        agent_id: Who it is; letters, digits, `_`, `-` and `.`.
        capabilities: What it can do, as `AgentCapability` or any words.
        handler: Does the work in this process: a sync or async callable `(input_data)` or
            `(input_data, context)` that returns a JSON object; or a LangChain Runnable; or
            a compiled graph.
        endpoint: Where it is, if it is elsewhere and in one place.
        endpoints: Where it is, if it is in several places; instead of the two before.
        kind: How to speak with it, one of `orchestration.agents.kinds`; guessed from handler
            or endpoint.
        settings: Of the kind, for its `endpoint`.
        version: Threads are shared out among the versions of an agent by their weights.
        priority: Of several agents for a capability, and of several versions, the highest is
            chosen.
        weight: Share of the threads that get this version, beside others of its priority; 0
            gets none that has not begun with it. A thread stays with its version.
        ramp: How the weight grows, instead of `weight`.
        shadow: Share of the agent's calls, from 0 to 1, that this version gets a copy of,
            whose reply nobody sees; only if it is `read_only`.
        cost: Price of a call: a number, or a `Price`.
        read_only: Whether it changes nothing anywhere.
        idempotent: Whether all its endpoints together recognise a call's idempotency key, so
            that a call that may have begun may be made again at another one.
        max_concurrency: Calls at the same time, in this process; of each endpoint that says
            nothing itself.
        max_queue: Calls that may wait for a free endpoint, in this process; more are turned
            away. None is no limit.
        queue_timeout: How long a call may wait for a free endpoint; None is no limit.
        balancing: How an endpoint is picked; one of `BALANCING`.
        cache: How answers are used again: a policy, or True for the default; only if it is
            `read_only`. False never; None is as the optimizer says.
        compress_to: Most tokens of the messages that it is given; None is no limit of its own.
        context: Context sources of the optimizer whose values it gets in its input's `context`.
        resilience: What becomes of endpoints that fail; None, the default, watches nothing
            where all that there is is one handler.

    Raises:
        RegistrationError: Something of this cannot be.
    """

    agent_id: str
    capabilities: Iterable[AgentCapability | str] = ()
    handler: Any = field(default=None, kw_only=True)
    endpoint: str | None = field(default=None, kw_only=True)
    endpoints: Sequence[Endpoint] = field(default=(), kw_only=True)
    kind: str | None = field(default=None, kw_only=True)
    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    description: str = field(default="", kw_only=True)
    version: str = field(default="1", kw_only=True)
    priority: int = field(default=0, kw_only=True)
    weight: float = field(default=1, kw_only=True)
    ramp: Ramp | None = field(default=None, kw_only=True)
    shadow: float = field(default=0, kw_only=True)
    cost: Price | float | None = field(default=None, kw_only=True)
    read_only: bool = field(default=False, kw_only=True)
    idempotent: bool = field(default=False, kw_only=True)
    max_concurrency: int | None = field(default=None, kw_only=True)
    max_queue: int | None = field(default=None, kw_only=True)
    queue_timeout: timedelta | None = field(default=None, kw_only=True)
    balancing: str = field(default=WEIGHTED_ROUND_ROBIN, kw_only=True)
    resilience: Resilience | None = field(default=None, kw_only=True)
    cache: CachePolicy | bool | None = field(default=None, kw_only=True)
    compress_to: int | None = field(default=None, kw_only=True)
    context: Sequence[str] = field(default=(), kw_only=True)
    enabled: bool = field(default=True, kw_only=True)
    metadata: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    places: tuple[Endpoint, ...] = field(init=False, compare=False, repr=False)
    """Its endpoints, with what is said for all of them."""
    call_settings: CallSettings = field(init=False, compare=False, repr=False)
    """What is said here of its calls."""
    home: AgentRegistry | None = field(default=None, init=False, compare=False, repr=False)
    """The registry that it is from."""

    def __post_init__(self) -> None:
        """Normalise capabilities and endpoints, and refuse what cannot be."""
        if found := list(self._problems()):
            raise RegistrationError(f"agent {self.agent_id!r}: {'; '.join(found)}")
        put = object.__setattr__
        put(self, "capabilities", tuple(dict.fromkeys(map(AgentCapability, self.capabilities))))
        put(self, "name", self.name or self.agent_id)
        put(self, "context", tuple(self.context))
        put(self, "places", tuple(map(self._filled, self.endpoints)) or (self._only(),))
        put(self, "kind", self.places[0].kind)
        put(self, "call_settings", self._call_settings())
        if found := [each for place in self.places for each in endpoint_problems(place)]:
            raise RegistrationError(f"agent {self.agent_id!r}: {'; '.join(found)}")

    def at_home(self, registry: AgentRegistry) -> AgentSpec:
        """The same, as part of a registry."""
        copy = replace(self)
        object.__setattr__(copy, "home", registry)
        return copy

    def chat(self, message: Message, **options: Unpack[ChatOptions]) -> AgentReply:
        """Say something to the agent and wait for its answer; not from an event loop.

        Args:
            message: What a user says; or messages, as OpenAI-style dicts; or a whole input.
            options: See `ChatOptions`.

        Raises:
            AgentError: It could not or would not.
            RuntimeError: An event loop is running; use `achat` there.
        """
        from orchestration.agents.chat import chat  # noqa: PLC0415  only for who chats

        return chat(lambda: self.achat(message, **options))

    async def achat(self, message: Message, **options: Unpack[ChatOptions]) -> AgentReply:
        """Say something to the agent and return what it answers; see `chat`."""
        from orchestration.agent_registry import AgentRegistry  # noqa: PLC0415  imports this
        from orchestration.agents.chat import achat  # noqa: PLC0415  only for who chats

        home = self.home
        if home is None:
            home = AgentRegistry()
            home.register(self)
        return await achat(home, self.agent_id, message, now=home.router.clock, **options)

    @property
    def is_plain(self) -> bool:
        """Whether all that there is is one handler, of which nothing is to be watched."""
        return (
            self.handler is not None
            and self.resilience is None
            and self.cost is None
            and self.max_queue is None
            and self.queue_timeout is None
        )

    @property
    def may_repeat(self) -> bool:
        """Whether a call that may have begun may be made again at another endpoint."""
        return self.read_only or self.idempotent

    def _only(self) -> Endpoint:
        """The endpoint of an agent that is in one place."""
        return self._filled(
            Endpoint(
                address=self.endpoint,
                handler=self.handler,
                kind=self.kind or "",
                settings=self.settings,
            )
        )

    def _filled(self, place: Endpoint) -> Endpoint:
        """An endpoint with what the version says for all."""
        return replace(
            place,
            kind=place.kind or kind_of(place.handler, place.address),
            cost=self.cost if place.cost is None else place.cost,
            max_concurrency=self.max_concurrency
            if place.max_concurrency is None
            else place.max_concurrency,
        )

    def _call_settings(self) -> CallSettings:
        if self.cache is None and self.compress_to is None and not self.context:
            return NO_SETTINGS
        cache = self.cache.document() if isinstance(self.cache, CachePolicy) else self.cache
        return CallSettings(cache, self.compress_to, tuple(self.context))

    def _problems(self) -> Iterator[str]:
        if not isinstance(self.agent_id, str) or not AGENT_ID.fullmatch(self.agent_id):
            yield "an id has 1 to 64 letters, digits, '_', '-' or '.'"
        if isinstance(self.capabilities, str):
            yield f"capabilities is the string {self.capabilities!r}; give a list"
        given = [self.handler is not None, self.endpoint is not None, bool(self.endpoints)]
        if not any(given):
            yield "give it a handler or an endpoint"
        if given[2] and any(given[:2]):
            yield "give endpoints, or one handler or endpoint, and not both"
        if self.balancing not in BALANCING:
            yield f"balancing is {described(self.balancing)}; use one of {list(BALANCING)!r}"
        if self.shadow and not self.read_only:
            yield (
                f"shadow is {self.shadow!r}, but the version is not read_only: a copy of a call "
                "would act a second time"
            )
        yield from _call_problems(self)
        yield from _number_problems(self)
        yield from price_problems(self.cost)
        ids = [place.endpoint_id for place in self.endpoints]
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            yield f"the endpoint ids {twice!r} are there twice; give each its own"


def _call_problems(spec: AgentSpec) -> Iterator[str]:
    cache = spec.cache
    if cache is not None and not isinstance(cache, bool | CachePolicy):
        yield f"cache is {described(cache)}; give True, False, a CachePolicy or None"
    if isinstance(cache, CachePolicy):
        yield from cache.problems()
    if cache and not spec.read_only:
        yield (
            "cache is given, but the version is not read_only: an answer that is used again would "
            "do nothing"
        )
    yield from _limit_problems("compress_to", spec.compress_to, least=1)
    if isinstance(spec.context, str) or not all(isinstance(each, str) for each in spec.context):
        yield f"context is {described(spec.context)}; give a list of names of context sources"


def _number_problems(spec: AgentSpec) -> Iterator[str]:
    if not _is_number(spec.weight, least=0):
        yield f"weight is {described(spec.weight)}; give a number from 0"
    if not _is_number(spec.shadow, least=0, most=1):
        yield f"shadow is {described(spec.shadow)}; give a number from 0 to 1"
    yield from _limit_problems("max_concurrency", spec.max_concurrency, least=1)
    yield from _limit_problems("max_queue", spec.max_queue, least=0)


def endpoint_problems(place: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint by itself, in words; its kind's module may find more."""
    found = []
    if not isinstance(place.endpoint_id, str) or not AGENT_ID.fullmatch(place.endpoint_id):
        found.append("an endpoint id has 1 to 64 letters, digits, '_', '-' or '.'")
    if place.handler is not None and not is_handler(place.handler):
        kind = type(place.handler).__name__
        found.append(f"handler is a {kind}; give a callable or a Runnable")
    if (place.handler is None) == (place.address is None):
        found.append("give an address or a handler, and not both")
    if place.kind not in KINDS and place.handler is None:
        found.append(
            f"kind is {place.kind!r} for the address {place.told_address!r}; "
            f"use one of {list(KINDS)!r}"
        )
    if not _is_number(place.weight, least=0):
        found.append(f"weight is {described(place.weight)}; give a number from 0")
    found.extend(_limit_problems("max_concurrency", place.max_concurrency, least=1))
    found.extend(price_problems(place.cost))
    yield from (
        each if place.endpoint_id == "default" else f"endpoint {place.endpoint_id!r}: {each}"
        for each in found
    )


def _limit_problems(name: str, value: object, *, least: int) -> Iterator[str]:
    if value is not None and (type(value) is not int or value < least):
        yield f"{name} is {described(value)}; give at least {least}, or None"


def _is_number(value: object, *, least: float, most: float = math.inf) -> bool:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return fits and least <= value <= most and value < math.inf  # type: ignore[operator]  # it is a number here


def is_handler(value: object) -> bool:
    """Whether `value` is a callable, a Runnable or a compiled graph."""
    return callable(value) or hasattr(value, "ainvoke")

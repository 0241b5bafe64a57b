"""Agents known by their A2A cards, at configured addresses."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from orchestration.a2a.settings import endpoint_problems
from orchestration.agents.addresses import told
from orchestration.agents.endpoint import Endpoint
from orchestration.agents.spec import AGENT_ID, AgentSpec
from orchestration.routing.discovery.card_words import (
    LONGEST_WORD,
    agent_id_of,
    capabilities_of,
    endpoint_id_of,
    name_of,
    text_of,
    version_of,
)
from state.errors import AgentError, ConfigurationError, DiscoveryError, RegistrationError

if TYPE_CHECKING:
    from a2a.types import AgentCard

    from orchestration.a2a.guarded_http import Origin
    from orchestration.a2a.signatures import CardSignatures

_MOST_BYTES: Final = 256 * 1024
_MOST_CAPABILITIES: Final = 200
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAddress:
    """Where a card is, and what is said here of its agent.

    Args:
        url: Of the agent, or of its card.
        agent_id: Who it is here; by default made from the name in the card. Cards that are
            given the same id, and have the same version, are endpoints of one agent.
        settings: Of the kind `a2a`, e.g. `headers`; they are used for the card too.
        read_only: Whether the agent changes nothing anywhere; a card cannot say that.
        idempotent: Whether it recognises a message that is sent twice.
    """

    url: str
    agent_id: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    read_only: bool = False
    idempotent: bool = False


class Found(NamedTuple):
    """A card that may be used, and where it was."""

    address: CardAddress
    card: AgentCard


class AgentCardSource:
    """The agents whose cards are at configured addresses; a `DiscoverySource`.

    A card is somebody else's word, so: only the configured origins are asked; redirects are not
    followed; a card whose agent would be elsewhere is refused; a host with an address that is
    not public is refused unless it is named in `private_hosts`, and the address that was looked
    at is the one that is connected to, by calls too; size and time are bounded.

    Args:
        addresses: Where the cards are.
        allowed_origins: Where their agents may be, beside where the card is, as URLs.
        private_hosts: Hosts whose addresses need not be public, e.g. `localhost`.
        keys: Public keys by key id, as PEM or JWK, for the signatures of cards.
        require_signature: Whether a card without a good signature is refused; one with a bad
            signature always is, where there are keys.
        reserved: Ids that no card gets by its name, but only as the `agent_id` of its address.
        timeout: For each card.

    Raises:
        ConfigurationError: An address, an origin or a key cannot be used; lists all.
    """

    def __init__(  # noqa: PLR0913  one for each part of the trust
        self,
        addresses: Sequence[CardAddress | str],
        *,
        allowed_origins: Sequence[str] = (),
        private_hosts: Sequence[str] = (),
        keys: Mapping[str, str | Mapping[str, object]] | None = None,
        require_signature: bool = False,
        reserved: Collection[str] = (),
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._addresses = [
            CardAddress(url=each) if isinstance(each, str) else each for each in addresses
        ]
        self._allowed = tuple(allowed_origins)
        self._private_hosts = tuple(private_hosts)
        self._reserved = frozenset(reserved)
        self._seconds = timeout.total_seconds()
        self._check(is_unsigned=require_signature and not keys)
        self._signatures = _signatures(keys, required=require_signature) if keys else None

    @property
    def name(self) -> str:
        """How people call it."""
        return f"agent cards: {', '.join(name_of(each.url) for each in self._addresses)}"

    async def find(self) -> Sequence[AgentSpec]:
        """Fetch all cards.

        Raises:
            DiscoveryError: One or more cannot be had or be used; says what is wrong with each.
        """
        slots = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(*(self._one(each, slots) for each in self._addresses))
        problems = [each for each in results if isinstance(each, str)]
        found = [each for each in results if isinstance(each, Found)]
        specs, more = self._specs(found)
        problems += more
        if problems:
            raise DiscoveryError(_listed(problems))
        return specs

    async def _one(self, address: CardAddress, slots: asyncio.Semaphore) -> Found | str:
        """Fetch one card; or say what is wrong with it."""
        try:
            async with slots, asyncio.timeout(self._seconds):
                return Found(address, await self._fetched(address))
        except TimeoutError:
            return f"{told(address.url)}: no card within {self._seconds:g} s"
        except (AgentError, DiscoveryError) as error:
            return f"{told(address.url)}: {error}"

    async def _fetched(self, address: CardAddress) -> AgentCard:
        import httpx  # noqa: PLC0415  heavy, as are the next

        from orchestration.a2a.cards import card_url, fetch_card, outside, usable  # noqa: PLC0415
        from orchestration.a2a.guarded_http import (  # noqa: PLC0415
            GuardedTransport,
            HeadersFromSettings,
        )

        transport = GuardedTransport(
            public_only=True, private_hosts=self._private_hosts, most_bytes=_MOST_BYTES
        )
        async with httpx.AsyncClient(
            transport=transport,
            timeout=self._seconds,
            headers={"accept-encoding": "identity"},
            auth=HeadersFromSettings(address.settings.get("headers", {})),
        ) as client:
            card = await fetch_card(client, card_url(address.url))
        if self._signatures is not None:
            self._signatures.check(card)
        origins = self._origins(address)
        if reasons := [*outside(card, origins)]:
            raise DiscoveryError("; ".join(reasons[:5]))
        return usable(card, origins)

    def _origins(self, address: CardAddress) -> frozenset[Origin]:
        from orchestration.a2a.guarded_http import origin_of  # noqa: PLC0415  heavy

        return frozenset(origin_of(url) for url in (address.url, *self._allowed))

    def _specs(self, found: Sequence[Found]) -> tuple[list[AgentSpec], list[str]]:
        """Say which agents cards speak of, and what is wrong with that."""
        groups: dict[tuple[str, str], list[Found]] = defaultdict(list)
        for each in found:
            groups[each.address.agent_id or agent_id_of(each.card), version_of(each.card)].append(
                each
            )
        specs, problems = [], []
        for (agent_id, version), group in groups.items():
            urls = [told(each.address.url) for each in group]
            if len(group) > 1 and not all(each.address.agent_id for each in group):
                problems.append(
                    f"{' and '.join(urls)}: all are agent {agent_id!r} version {version!r} by "
                    "their names; give each an `agent_id`, the same one if they are one agent"
                )
                continue
            if agent_id in self._reserved and not group[0].address.agent_id:
                problems.append(
                    f"{urls[0]}: its name makes it agent {agent_id!r}, which is one of ours; if "
                    "it is to take that one's place, say so in an agents file or by variables"
                )
                continue
            try:
                specs.append(self._spec(agent_id, version, group))
            except RegistrationError as error:
                problems.append(f"{', '.join(urls)}: {error}")
        return specs, problems

    def _spec(self, agent_id: str, version: str, group: Sequence[Found]) -> AgentSpec:
        card = group[0].card
        words = dict.fromkeys(word for each in group for word in capabilities_of(each.card))
        return AgentSpec(
            agent_id,
            [*words][:_MOST_CAPABILITIES],
            version=version,
            name=text_of(card.name, longest=LONGEST_WORD),
            description=text_of(card.description, longest=1000),
            endpoints=[
                Endpoint(
                    endpoint_id="default" if len(group) == 1 else endpoint_id_of(each.address.url),
                    address=each.address.url,
                    kind="a2a",
                    settings=self._settings(each.address),
                )
                for each in group
            ],
            read_only=all(each.address.read_only for each in group),
            idempotent=all(each.address.idempotent for each in group),
        )

    def _settings(self, address: CardAddress) -> dict[str, Any]:
        """How calls are made: with the same care as the card was fetched."""
        return {
            **address.settings,
            "interface_origins": [*self._allowed],
            "public_only": True,
            "private_hosts": [*self._private_hosts],
        }

    def _check(self, *, is_unsigned: bool) -> None:
        problems = []
        for address in self._addresses:
            place = Endpoint(address=address.url, kind="a2a", settings=self._settings(address))
            problems += [f"{told(address.url)!r}: {each}" for each in endpoint_problems(place)]
            if address.agent_id and not AGENT_ID.fullmatch(address.agent_id):
                problems.append(f"agent_id is {address.agent_id!r:.80}, which is no agent's id")
        if is_unsigned:
            problems.append("signatures are required, and no keys are given")
        if problems:
            raise ConfigurationError(_listed(list(dict.fromkeys(problems))))


def card_source(
    addresses: Sequence[str],
    *,
    allowed_hosts: Sequence[str] = (),
    keys: Mapping[str, str] | None = None,
    reserved: Collection[str] = (),
) -> AgentCardSource:
    """Return the source of the cards that the environment names.

    Args:
        addresses: URLs of agents, or of their cards.
        allowed_hosts: As `name` or `name:port`; cards may say that their agents are there, and
            their addresses need not be public. So for an agent on this machine, name its host.
        keys: Public keys by key id; with some, cards must be signed.
        reserved: Ids that no card gets by its name.

    Raises:
        ConfigurationError: An address or a host cannot be used; lists all.
    """
    origins = [f"{scheme}://{host}" for host in allowed_hosts for scheme in ("https", "http")]
    names = [urlsplit(f"//{host}").hostname or host for host in allowed_hosts]
    return AgentCardSource(
        addresses,
        allowed_origins=origins,
        private_hosts=names,
        keys=keys,
        require_signature=bool(keys),
        reserved=reserved,
    )


def _signatures(
    keys: Mapping[str, str | Mapping[str, object]], *, required: bool
) -> CardSignatures:
    from orchestration.a2a.signatures import CardSignatures  # noqa: PLC0415  only where used

    return CardSignatures(keys, required=required)


def _listed(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    lines = "".join(f"\n  {each}" for each in problems)
    return f"{len(problems)} problems with agent cards:{lines}"

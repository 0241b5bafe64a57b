"""Agent cards: where they are, how they are fetched, what in them may be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import httpx
from a2a.client.card_resolver import parse_agent_card
from a2a.types import AgentCard
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH, TransportProtocol

from orchestration.a2a.guarded_http import origin_of
from orchestration.a2a.values import MalformedError
from orchestration.agents.addresses import told
from orchestration.agents.http_errors import retry_after_in
from state.errors import (
    AgentAuthError,
    AgentError,
    AgentNotStartedError,
    AgentRateLimitedError,
    ConfigurationError,
    UnknownReplyError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestration.a2a.guarded_http import Origin

BINDINGS: Final = (TransportProtocol.JSONRPC.value, TransportProtocol.HTTP_JSON.value)
"""Of the protocol, that are spoken here."""
BAD_CARD: Final = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    MalformedError,
    RecursionError,
    SystemError,
)
"""What parsing raises; the last where a key is no text, which protocol buffers do not expect."""
_OK, _BUSY, _NO_ENTRY = 200, 429, frozenset({401, 403, 407})


def card_url(address: str) -> str:
    """Return where the card of an agent is; `address` may be its base URL, or that of the card."""
    url = httpx.URL(address)
    if url.path.endswith(".json"):
        return str(url)
    return str(url.copy_with(path=url.path.rstrip("/") + AGENT_CARD_WELL_KNOWN_PATH))


async def fetch_card(client: httpx.AsyncClient, url: str) -> AgentCard:
    """Fetch a card; does nothing there. Redirects are not followed.

    Raises:
        AgentNotStartedError, AgentAuthError, AgentRateLimitedError: There is none to be had.
        UnknownReplyError: What is there is no card.
    """
    where = str(origin_of(url))
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise AgentNotStartedError(f"no agent card from {where}: {reason}") from error
    _check_status(response, where)
    try:
        return parse_agent_card(response.json())
    except BAD_CARD as error:
        message = f"what {where} has as an agent card is none: {str(error)[:300]}"
        raise UnknownReplyError(message) from error


def usable(card: AgentCard, origins: Collection[Origin]) -> AgentCard:
    """Return a card with the interfaces only that may be spoken with here.

    Raises:
        AgentNotStartedError: There is none; says why of each.
    """
    kept, reasons = AgentCard(), []
    kept.CopyFrom(card)
    del kept.supported_interfaces[:]
    for interface in card.supported_interfaces:
        reason = _why_not(interface.protocol_binding, interface.protocol_version)
        reason = reason or _why_not_there(interface.url, origins)
        if reason is None:
            kept.supported_interfaces.append(interface)
        else:
            reasons.append(f"{told(interface.url)!r:.100}: {reason}")
    if not kept.supported_interfaces:
        why = "; ".join(reasons[:5]) or "its card has none"
        raise AgentNotStartedError(f"agent {card.name!r:.100} has no interface for us: {why}")
    return kept


def outside(card: AgentCard, origins: Collection[Origin]) -> Iterator[str]:
    """Say of each interface of a card that is where it may not be, why."""
    for interface in card.supported_interfaces:
        reason = _why_not_there(interface.url, origins)
        if reason is not None:
            yield f"its interface {told(interface.url)!r:.100}: {reason}"


def _check_status(response: httpx.Response, where: str) -> None:
    status = response.status_code
    if status == _OK:
        return
    said = f"no agent card from {where}: HTTP {status}"
    error: AgentError = AgentNotStartedError(said, retry_after=retry_after_in(response.headers))
    if status in _NO_ENTRY:
        error = AgentAuthError(said)
    elif status == _BUSY:
        error = AgentRateLimitedError(said, retry_after=retry_after_in(response.headers))
    elif response.is_redirect:
        error = AgentNotStartedError(f"{said}; redirects are not followed, give its own URL")
    raise error


def _why_not(binding: str, version: str) -> str | None:
    if binding not in BINDINGS:
        return f"it speaks {binding!r:.40}, and spoken here are {list(BINDINGS)!r}"
    if version and version.partition(".")[0] != "1":
        return f"it speaks version {version!r:.20}, and spoken here is 1.0"
    return None


def _why_not_there(url: str, origins: Collection[Origin]) -> str | None:
    try:
        origin = origin_of(url)
    except ConfigurationError as error:
        return str(error)
    if origin in origins:
        return None
    allowed = ", ".join(sorted(map(str, origins)))
    return f"{origin} is not allowed; allowed are {allowed}"

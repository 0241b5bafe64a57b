"""The card of what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    HTTPAuthSecurityScheme,
    SecurityRequirement,
    SecurityScheme,
    StringList,
)
from a2a.utils.constants import PROTOCOL_VERSION_1_0, TransportProtocol

from orchestration.a2a.values import JSON, TEXT

if TYPE_CHECKING:
    from orchestration.a2a_server.served import Served

REST_PREFIX = "/v1"
"""Path of HTTP+JSON below an agent's own; JSON-RPC is at the agent's own."""


def card_of(served: Served, *, url: str, needs_token: bool) -> AgentCard:
    """Return the card of an agent or workflow.

    Args:
        served: Which one.
        url: Where it is served, without a slash at the end.
        needs_token: Whether callers need a bearer token.
    """
    card = AgentCard(
        name=served.title,
        description=served.description,
        version=served.version,
        supported_interfaces=[
            _interface(f"{url}/", TransportProtocol.JSONRPC),
            _interface(f"{url}{REST_PREFIX}", TransportProtocol.HTTP_JSON),
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=False),
        default_input_modes=[TEXT, JSON],
        default_output_modes=[TEXT, JSON],
        skills=[
            AgentSkill(
                id=each.skill_id,
                name=each.skill_id.replace("_", " "),
                description=each.description,
                tags=each.tags,
            )
            for each in served.skills()
        ],
    )
    if needs_token:
        scheme = SecurityScheme(http_auth_security_scheme=HTTPAuthSecurityScheme(scheme="bearer"))
        card.security_schemes["bearer"].CopyFrom(scheme)
        card.security_requirements.append(SecurityRequirement(schemes={"bearer": StringList()}))
    return card


def _interface(url: str, binding: TransportProtocol) -> AgentInterface:
    return AgentInterface(
        url=url, protocol_binding=binding.value, protocol_version=PROTOCOL_VERSION_1_0
    )

"""The kind `a2a`: an agent that speaks A2A 1.0, over JSON-RPC or HTTP+JSON.

The address is the agent's base URL, or that of its card. Settings are `headers` (a value may
name environment variables, as `Bearer ${TOKEN}`), `timeout_seconds`, `on_input_required`
(`refuse` or `wait`), `interface_origins`, `public_only` and `private_hosts`; see
`docs/a2a.md`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from orchestration.a2a.settings import endpoint_problems, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.agents.connector import Connector
    from orchestration.agents.endpoint import Endpoint


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words, without speaking with it."""
    if find_spec("a2a") is None:
        yield "kind 'a2a' needs the package a2a-sdk; install agent-orchestration-layer[a2a]"
    yield from endpoint_problems(endpoint)


def connect(endpoint: Endpoint) -> Connector:
    """Make the way to an endpoint; speaks with nobody yet."""
    from orchestration.a2a.connector import A2AConnector  # noqa: PLC0415  the SDK is heavy

    return A2AConnector(endpoint.address or "", settings_of(endpoint))

"""The settings of an A2A endpoint, read and checked; loads nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.headers import OF_HTTP, clear_text_problems, header_problems
from orchestration.agents.http import address_problems, timeout_problems, unknown_problems
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.agents.endpoint import Endpoint

REFUSE: Final = "refuse"
WAIT: Final = "wait"
_TAKEN: Final = OF_HTTP | {"a2a-version", "transfer-encoding"}


@dataclass(frozen=True, slots=True, kw_only=True)
class A2ASettings:
    """What may stand in the `settings` of an A2A agent's endpoint."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request, the one for the card included; `${NAME}` in a value stands for
    a variable of the environment."""
    timeout_seconds: float = 300.0
    """The longest that a call may take, also where the task has no deadline."""
    on_input_required: str = REFUSE
    """What becomes of a task whose agent asks for more: `refuse` calls it off, `wait` lets
    somebody answer it there."""
    interface_origins: tuple[str, ...] = ()
    """URLs of where the card may say that the agent is, beside where the card is."""
    public_only: bool = False
    """Whether to refuse hosts whose addresses are not public."""
    private_hosts: tuple[str, ...] = ()
    """Hosts for which that does not hold."""
    allow_clear_text: bool = False
    """Whether credentials may go to an address that begins with `http://` and is not loopback."""


def settings_of(endpoint: Endpoint) -> A2ASettings:
    """Read the settings of an endpoint that has no problems."""
    lists = {
        name: tuple(endpoint.settings.get(name, ()))
        for name in ("interface_origins", "private_hosts")
    }
    return A2ASettings(**{**endpoint.settings, **lists})


def endpoint_problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an A2A endpoint, in words."""
    yield from address_problems(endpoint.address)
    settings = endpoint.settings
    yield from unknown_problems(settings, A2ASettings)
    headers = settings.get("headers", {})
    yield from header_problems(headers, taken=_TAKEN)
    urls = [endpoint.address or "", *_texts(settings.get("interface_origins"))]
    allowed = settings.get("allow_clear_text", False)
    yield from clear_text_problems(urls, headers, allowed=allowed)
    yield from timeout_problems(settings.get("timeout_seconds", 1.0))
    for name, value in settings.items():
        if (wanted := _wanted(name, value)) is not None:
            yield f"{name} is {described(value)}; give {wanted}"
    for url in _texts(settings.get("interface_origins")):
        yield from (f"interface_origins: {each}" for each in address_problems(url))


def _wanted(name: str, value: Any) -> str | None:  # noqa: ANN401  as in a file
    """What a setting has to be; None where it is that."""
    match name:
        case "on_input_required" if value not in (REFUSE, WAIT):
            return f"{REFUSE!r} or {WAIT!r}"
        case "public_only" if not isinstance(value, bool):
            return "true or false"
        case "interface_origins" | "private_hosts":
            fits = isinstance(value, list | tuple) and len(_texts(value)) == len(value)
            return None if fits else "a list of texts"
    return None


def _texts(value: object) -> list[str]:
    listed = value if isinstance(value, list | tuple) else ()
    return [each for each in listed if isinstance(each, str)]

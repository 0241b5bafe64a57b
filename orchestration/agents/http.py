"""Agents that take JSON over HTTP; `docs/http-agents.md` says what is sent and answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from orchestration.agents.addresses import told
from orchestration.agents.headers import OF_HTTP, clear_text_problems, header_problems
from state.jsonvalue import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance

    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.http_connector import HttpConnector

_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x7e]*\Z")
"""Not of another host, as what begins with two slashes."""
_LONGEST_TIMEOUT: Final = 1e9
"""Seconds; event loops cannot take all that a file can say."""
_TAKEN: Final = OF_HTTP | {"idempotency-key", "transfer-encoding", "x-deadline-seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """What may stand in the `settings` of an HTTP agent's endpoint."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request; `${NAME}` in a value stands for a variable of the environment."""
    health_path: str | None = None
    """Path at the same host that answers a GET with 2xx if all is well; without it, a probe
    asks the address itself with OPTIONS, and any answer below 500 will do."""
    timeout_seconds: float = 300.0
    """The longest that a call may take, also where the task has no deadline."""
    verify: bool | str = True
    """Whether the server's certificate is checked; or a file of authorities to check it with."""
    allow_clear_text: bool = False
    """Whether credentials may go to an address that begins with `http://` and is not loopback."""


def problems(endpoint: Endpoint) -> Iterator[str]:
    """What is wrong with an endpoint, in words."""
    yield from address_problems(endpoint.address)
    settings = endpoint.settings
    yield from unknown_problems(settings, HttpSettings)
    headers = settings.get("headers", {})
    yield from header_problems(headers, taken=_TAKEN)
    allowed = settings.get("allow_clear_text", False)
    yield from clear_text_problems([endpoint.address or ""], headers, allowed=allowed)
    path = settings.get("health_path")
    if path is not None and not (isinstance(path, str) and _PATH.match(path)):
        yield f"health_path is {described(path)}; give a path that begins with '/', not with '//'"
    yield from timeout_problems(settings.get("timeout_seconds", 1.0))
    yield from verify_problems(settings.get("verify", True))


def connect(endpoint: Endpoint) -> HttpConnector:
    """Make the way to an endpoint."""
    from orchestration.agents.http_connector import HttpConnector  # noqa: PLC0415  httpx is heavy

    return HttpConnector(endpoint.address or "", HttpSettings(**endpoint.settings))


def unknown_problems(settings: Mapping[str, Any], kinds: type[DataclassInstance]) -> Iterator[str]:
    """Which settings a kind does not have, in words; `kinds` is what may stand there."""
    known = [each.name for each in fields(kinds)]
    if unknown := sorted(map(str, set(settings) - set(known))):
        yield f"the settings {unknown!r} are unknown; there are {known!r}"


def verify_problems(verify: object) -> Iterator[str]:
    """What is wrong with what is said of a server's certificate, in words."""
    if not isinstance(verify, bool) and not (isinstance(verify, str) and Path(verify).is_file()):
        yield f"verify is {described(verify)}; give true, false or a file of certificates"


def address_problems(address: str | None) -> Iterator[str]:
    """What is wrong with a URL, in words; none of its secrets stand in them."""
    try:
        parts = urlsplit(address or "")
        port = parts.port
    except ValueError as error:
        yield f"the address is no URL ({error})"
        return
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        yield f"the address is {told(address or '')!r}; give a URL like https://host/path"
    if parts.username or parts.password:
        yield "the address holds a user or a password; give them in the setting `headers`"
    if (address or "").strip() != address or any(ord(each) < 33 for each in address):  # noqa: PLR2004
        yield "the address has spaces or control characters in it"


def timeout_problems(seconds: Any) -> Iterator[str]:  # noqa: ANN401  as in a file
    """What is wrong with `timeout_seconds`, in words."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= _LONGEST_TIMEOUT:
        yield f"timeout_seconds is {described(seconds)}; give a number above 0"

"""Where an agent on Vertex AI is: Google's resource name, alone or at the end of a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestration.agents.addresses import is_loopback, told

if TYPE_CHECKING:
    from orchestration.agents.endpoint import Endpoint

REST: Final = "rest"
GRPC: Final = "grpc"
ENDPOINTS: Final = "endpoints"
ENGINES: Final = "reasoningEngines"
MODELS: Final = "publishers/google/models"

_RESOURCE = re.compile(
    r"projects/(?P<project>[A-Za-z0-9][A-Za-z0-9._:-]{0,99})"
    r"/locations/(?P<location>[a-z][a-z0-9-]{0,39})"
    rf"/(?P<collection>{ENDPOINTS}|{ENGINES}|{MODELS})"
    r"/(?P<name>[A-Za-z0-9][A-Za-z0-9._@-]{0,127})"
)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_CLEAR: Final = {"https": False, "http": True, "grpcs": False, "grpc": True}
"""Whether a scheme sends in clear text."""
_GOOGLES: Final = (".googleapis.com", ".vertexai.goog")
"""How the names of Google's own hosts for Vertex AI end: the public ones, those behind Private
Service Connect, and those of dedicated endpoints."""


class AddressError(ValueError):
    """Raised for an address that is none of Vertex AI; says what is wrong."""


@dataclass(frozen=True, slots=True)
class GooglePlace:
    """A resource of Vertex AI, and the host and the transport to reach it by."""

    project: str
    location: str
    collection: str
    name: str
    host: str
    """With its port, where that is not the usual one."""
    transport: str
    """`REST` or `GRPC`."""
    is_clear: bool
    """Whether all is sent in clear text, without TLS."""

    @property
    def resource(self) -> str:
        """Google's resource name."""
        return f"projects/{self.project}/locations/{self.location}/{self.collection}/{self.name}"

    @property
    def origin(self) -> str:
        """The URL of the host, for REST."""
        return f"{'http' if self.is_clear else 'https'}://{self.host}"

    @property
    def target(self) -> str:
        """The host with its port, for gRPC."""
        has_port = urlsplit(f"//{self.host}").port is not None
        return self.host if has_port else f"{self.host}:{80 if self.is_clear else 443}"

    @property
    def host_name(self) -> str:
        """The host without its port, in lower case."""
        return host_name(self.host)

    @property
    def is_googles(self) -> bool:
        """Whether the host is one of Google's, by its name."""
        return self.host_name.endswith(_GOOGLES)

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host_name)


def host_name(host: str) -> str:
    """Return a host, given with a port or without, as names are compared."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # no host at all
        return ""


def place_of(endpoint: Endpoint) -> GooglePlace:
    """Read where an endpoint is, from its address and the settings of the same purpose.

    Args:
        endpoint: Its address is `projects/P/locations/R/endpoints/E`, or another collection, or
            a URL that ends in that: `https`, `http`, `grpcs` or `grpc`, with a version or
            without. `api_endpoint` in its settings is the host instead, with a scheme or without;
            `transport` is `rest` or `grpc`.

    Raises:
        AddressError: It is something else.
    """
    address = endpoint.address or ""
    scheme, host, resource = _split(address)
    if (other := endpoint.settings.get("api_endpoint")) is not None:
        scheme, host = _origin(other)
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        raise AddressError(
            f"the address {told(address)!r} is no resource of Vertex AI; give "
            "projects/P/locations/R/endpoints/E or projects/P/locations/R/reasoningEngines/N, "
            "alone or at the end of a URL"
        )
    return GooglePlace(
        project=found["project"],
        location=found["location"],
        collection=found["collection"],
        name=found["name"],
        host=host or _googles_host(found["location"]),
        transport=_transport(endpoint.settings.get("transport"), scheme),
        is_clear=_CLEAR[scheme or "https"],
    )


def _split(address: str) -> tuple[str, str, str]:
    """An address as scheme, host and resource; the first two are empty for a bare resource."""
    if "://" not in address:
        return "", "", address
    origin, _, path = address.partition("/projects/")
    scheme, host = _origin(re.sub(r"/(v1|v1beta1)?$", "", origin))
    return scheme, host, f"projects/{path}"


def _origin(text: object) -> tuple[str, str]:
    """A host, with a scheme or without, as both; the scheme is `https` where none is given."""
    if not isinstance(text, str):
        raise AddressError(f"api_endpoint is {text!r}; give a host, or a URL without a path")
    scheme, found, host = text.partition("://")
    if not found:
        scheme, host = "https", text
    if scheme not in _CLEAR or not _HOST.fullmatch(host):
        raise AddressError(
            f"{told(text)!r} is no place to reach Google at; give a host and, if need be, a port, "
            f"after one of {[f'{each}://' for each in _CLEAR]!r}, without a user or a query"
        )
    return scheme, host


def _transport(wanted: object, scheme: str) -> str:
    """What was asked for, or what the scheme says."""
    is_grpc = scheme.startswith(GRPC)
    if wanted is None:
        return GRPC if is_grpc else REST
    if wanted not in {REST, GRPC}:
        raise AddressError(f"transport is {wanted!r}; give {REST!r} or {GRPC!r}")
    if wanted == REST and is_grpc:
        raise AddressError(
            f"transport is {REST!r}, and the address begins with {scheme}://; leave one of them"
        )
    return str(wanted)


def _googles_host(location: str) -> str:
    """Google's host for a location; the wide ones have names of their own."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in {"us", "eu"}:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"

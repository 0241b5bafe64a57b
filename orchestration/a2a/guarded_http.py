"""HTTP that bounds what comes back, and that goes only where it may.

A card names addresses, and whoever writes it should not make this process speak with what only
this process can reach. So host names are resolved here, every address is looked at, and the
connection goes to the very address that was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import httpx

from orchestration.agents.addresses import told
from orchestration.agents.headers import filled
from state.errors import AgentNotStartedError, ConfigurationError, UnknownReplyError

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Generator,
        Mapping,
    )

MOST_BYTES: Final = 16 * 1024 * 1024
"""That one answer may have, a stream as a whole included."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_PORTS: Final = {"http": 80, "https": 443}

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = "Callable[[str, int], Awaitable[list[Address]]]"


class Origin(NamedTuple):
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class ForbiddenAddressError(AgentNotStartedError):
    """Raised where a host has an address that may not be spoken with."""

    code = "forbidden_address"


def origin_of(url: str) -> Origin:
    """Return the origin of an `http(s)` URL.

    Raises:
        ConfigurationError: It is none, or has a user or a password in it.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigurationError(f"{told(str(url))!r} is no URL: {error}") from None
    if parsed.scheme not in _PORTS or not parsed.host:
        raise ConfigurationError(
            f"{told(url)!r} is no URL of the form http://host:port or https://host"
        )
    if parsed.userinfo:
        raise ConfigurationError(
            f"the URL for {parsed.host!r} has a user in it; give credentials in a header"
        )
    host = parsed.host.rstrip(".").lower()
    return Origin(parsed.scheme, host, parsed.port or _PORTS[parsed.scheme])


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also where it wraps another."""
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                return is_public(inner)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests, bounds their answers and, if asked to, keeps to public addresses.

    Args:
        public_only: Whether to refuse hosts that have any address that is not public.
        private_hosts: Hosts for which that does not hold.
        most_bytes: That an answer may have.
        resolve: Finds the addresses of a host; by default asks the system.
    """

    def __init__(
        self,
        *,
        public_only: bool = False,
        private_hosts: Collection[str] = (),
        most_bytes: int = MOST_BYTES,
        resolve: Resolve | None = None,
    ) -> None:
        self._resolve = resolve or _resolved
        self._public_only = public_only
        self._private_hosts = frozenset(host.rstrip(".").lower() for host in private_hosts)
        self._most_bytes = most_bytes
        self._by_name: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            ForbiddenAddressError: It would go where it may not; nothing was sent.
            UnknownReplyError: The answer is too long, or compressed though nobody asked for it.
        """
        response = await self._sent(request)
        coding = response.headers.get("content-encoding", "identity")
        if coding != "identity":
            await response.aclose()
            raise UnknownReplyError(f"the answer is compressed ({coding:.40}), unasked")
        stream = response.stream
        if isinstance(stream, httpx.AsyncByteStream):
            response.stream = BoundedStream(stream, self._most_bytes)
        return response

    async def aclose(self) -> None:
        """Close connections."""
        for inner in self._by_name.values():
            await inner.aclose()
        self._by_name.clear()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and where that matters only to addresses that were looked at."""
        host = request.url.host.rstrip(".").lower()
        inner = self._inner_for(host)
        if not self._public_only:
            return await inner.handle_async_request(request)
        addresses = await self._allowed_addresses(request.url, host)
        # `Host` stays as it was made; so does the name that a certificate has to be for
        request.extensions = {**request.extensions, "sni_hostname": host}
        for address in addresses[:-1]:
            request.url = request.url.copy_with(host=str(address))
            try:
                return await inner.handle_async_request(request)
            except httpx.ConnectError:
                continue  # nothing was sent, and it has other addresses
        request.url = request.url.copy_with(host=str(addresses[-1]))
        return await inner.handle_async_request(request)

    def _inner_for(self, host: str) -> httpx.AsyncHTTPTransport:
        """The connections for one name, which no other name at the same address shares."""
        inner = self._by_name.get(host)
        if inner is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            inner = self._by_name[host] = httpx.AsyncHTTPTransport(limits=limits)
        return inner

    async def _allowed_addresses(self, url: httpx.URL, host: str) -> list[Address]:
        """Return the addresses of a host, if all of them may be spoken with."""
        addresses = await self._resolve(host, url.port or _PORTS[url.scheme])
        if host not in self._private_hosts:
            for address in addresses:
                if not is_public(address):
                    raise ForbiddenAddressError(
                        f"host {host!r:.100} has the address {address}, which is not public; "
                        "if that is meant, name the host in `private_hosts`, or in "
                        "ORCHESTRATION_AGENT_CARD_HOSTS if the environment names the card"
                    )
        return addresses


class HeadersFromSettings(httpx.Auth):
    """Adds a user's headers to each request, with what the environment says at that time."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add them.

        Raises:
            AgentAuthError: A variable is not set.
        """
        request.headers.update(filled(self._headers).headers)
        yield request


class BoundedStream(httpx.AsyncByteStream):
    """The body of an answer, up to a length."""

    def __init__(self, stream: httpx.AsyncByteStream, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body.

        Raises:
            UnknownReplyError: It goes on beyond the limit.
        """
        length = 0
        async for piece in self._stream:
            length += len(piece)
            if length > self._most_bytes:
                raise UnknownReplyError(f"the answer has more than {self._most_bytes} bytes")
            yield piece

    async def aclose(self) -> None:
        """Close the connection, or give it back."""
        await self._stream.aclose()


async def _resolved(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AgentNotStartedError(f"host {host!r:.100} cannot be resolved: {error}") from None
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses:
        raise AgentNotStartedError(f"host {host!r:.100} has no address")
    return addresses

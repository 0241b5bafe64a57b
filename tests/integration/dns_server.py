"""A real DNS server on loopback, over UDP and TCP, whose zone tests write."""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

from dnslib import QTYPE, RCODE, RR, DNSRecord  # type: ignore[import-untyped]  # it has no types
from dnslib.server import (  # type: ignore[import-untyped]
    DNSHandler,
    DNSLogger,
    DNSServer,
    TCPServer,
    UDPServer,
)

LOOPBACK = "127.0.0.1"
_TRIES = 20
_POLL_SECONDS = 0.01
"""How long stopping a server takes."""
_LONGEST_DATAGRAM = 512


class _ShortDatagrams(DNSHandler):  # type: ignore[misc]  # it has no types
    """What is longer than the oldest limit of the DNS is truncated, and asked for over TCP.

    The library's own way leaves the question out, so that no client can tell whose answer it is.
    """

    def get_reply(self, data: bytes) -> bytes:
        whole: bytes = super().get_reply(data)
        if len(whole) <= _LONGEST_DATAGRAM:
            return whole
        truncated = DNSRecord.parse(data).reply()
        truncated.header.tc = 1
        cut: bytes = truncated.pack()
        return cut


@dataclass
class Zone:
    """What the server says, and what it was asked."""

    port: int = 0
    lines: str = ""
    """In the format of zone files."""
    rcode: str = "NOERROR"
    asked: list[tuple[str, str]] = field(default_factory=list)
    """How, and for which name."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """Answer as the library's own resolver for zone files does."""
        wanted, kind = request.q.qname, QTYPE[request.q.qtype]
        self.asked.append((handler.protocol, str(wanted)))
        reply = request.reply()
        names = set()
        for record in RR.fromZone(self.lines):
            names.add(record.rname)
            if record.rname == wanted and QTYPE[record.rtype] in (kind, "CNAME"):
                reply.add_answer(record)
                if QTYPE[record.rtype] == "CNAME":
                    wanted = record.rdata.label
        reply.header.rcode = getattr(RCODE, self.rcode)
        if self.rcode == "NOERROR" and request.q.qname not in names:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply


@contextmanager
def dns_server() -> Iterator[Zone]:
    """Serve a zone on one port, over UDP and TCP, until the block ends."""
    zone = Zone()
    servers = _bound(zone)
    zone.port = servers[0].server_address[1]
    threads = [Thread(target=each.serve_forever, args=(_POLL_SECONDS,)) for each in servers]
    for each in threads:
        each.start()
    try:
        yield zone
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for each in threads:
            each.join(timeout=10)


def _bound(zone: Zone) -> list[socketserver.TCPServer]:
    """Both servers on one free port; what is free for UDP may be taken for TCP."""
    for _ in range(_TRIES):
        common = {"address": LOOPBACK, "logger": DNSLogger("-request,-reply,-truncated")}
        udp = DNSServer(zone, port=0, handler=_ShortDatagrams, server=UDPServer, **common)
        port = udp.server.server_address[1]
        try:
            return [udp.server, DNSServer(zone, port=port, server=TCPServer, **common).server]
        except OSError:
            udp.server.server_close()
    raise RuntimeError(f"no port is free for UDP and TCP in {_TRIES} tries")


@contextmanager
def silent_nameserver() -> Iterator[socket.socket]:
    """A socket where questions arrive and nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((LOOPBACK, 0))
        bound.settimeout(10)
        yield bound


def port_of(bound: socket.socket) -> int:
    """The port that a socket is bound to."""
    port: int = bound.getsockname()[1]
    return port

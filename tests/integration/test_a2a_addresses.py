"""Requests go to the very addresses that were looked at, whatever names stand for later."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from orchestration.a2a.guarded_http import Address, ForbiddenAddressError, GuardedTransport

NAME = "desk.example"


class Names:
    """Stands for the DNS; the last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = [*answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ipaddress.ip_address(each) for each in answer]


@asynccontextmanager
async def listening(heard: list[str], context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answer every request with 200; yields the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def get(names: Names, url: str, *, private: tuple[str, ...] = ()) -> httpx.Response:
    transport = GuardedTransport(public_only=True, private_hosts=private, resolve=names)
    async with asyncio.timeout(20), httpx.AsyncClient(transport=transport) as client:
        return await client.get(url)


async def test_the_address_that_was_looked_at_is_connected_to() -> None:
    heard: list[str] = []
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with listening(heard) as port:
        await get(names, f"http://{NAME}:{port}/card", private=(NAME,))
    assert names.asked == [NAME]
    assert f"host: {NAME}:{port}" in heard[0].lower()


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_one_address_that_is_not_public_is_enough_to_refuse(address: str) -> None:
    heard: list[str] = []
    async with listening(heard) as port:
        with pytest.raises(ForbiddenAddressError, match="not public"):
            await get(Names(["8.8.8.8", address]), f"http://{NAME}:{port}/")
    assert heard == []


async def test_a_name_that_comes_to_stand_for_this_machine_is_refused() -> None:
    heard: list[str] = []
    names = Names(["127.0.0.1"])
    async with listening(heard) as port:
        with pytest.raises(ForbiddenAddressError):
            await get(names, f"http://{NAME}:{port}/", private=("other.example",))
    assert heard == []


async def test_where_nobody_listens_the_next_address_is_tried() -> None:
    heard: list[str] = []
    async with listening(heard) as port:
        names = Names(["127.0.0.2", "127.0.0.1"])
        answer = await get(names, f"http://{NAME}:{port}/", private=(NAME,))
    assert answer.status_code == 200


def certified(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context, with a certificate for a name that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context


async def test_the_certificate_has_to_be_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    context = certified(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    names = Names(["127.0.0.1"])
    async with listening(heard, context) as port:
        answer = await get(names, f"https://{NAME}:{port}/", private=(NAME,))
        assert answer.status_code == 200
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await get(names, f"https://other.example:{port}/", private=("other.example",))
    assert len(heard) == 1

"""A fake of where Google gives out tokens, and credentials for it."""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from state.jsonvalue import JsonObject

GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EMAIL: Final = "agents@fake-project.iam.gserviceaccount.com"


@cache
def _key() -> rsa.RSAPrivateKey:
    """Make a key, once in a process, since that takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class FakeTokens:
    """Gives out tokens to who signs with the key of its credentials."""

    lifetime: int = 3600
    """Seconds that a token is valid."""
    failure: int | None = None
    """The status to answer with instead of a token; None gives tokens."""
    given: list[str] = field(default_factory=list)
    """The tokens that it gave."""

    def answer(self, form: str) -> tuple[int, JsonObject]:
        """Answer a request for a token with a status and JSON."""
        fields = parse_qs(form)
        if self.failure is not None:
            return self.failure, {"error": "invalid_grant", "error_description": "no token today"}
        if fields.get("grant_type") != [GRANT] or not _is_signed(fields["assertion"][0]):
            return 400, {"error": "invalid_grant", "error_description": "who signed this?"}
        token = f"fake-token-{len(self.given) + 1}"
        self.given.append(token)
        return 200, {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}


def write_service_account(path: Path, *, token_uri: str) -> Path:
    """Write the file of a service account whose tokens come from `token_uri`."""
    account = {
        "type": "service_account",
        "project_id": "fake-project",
        "private_key_id": "fake-key",
        "private_key": _pem(),
        "client_email": _EMAIL,
        "client_id": "1",
        "token_uri": token_uri,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(account), encoding="utf-8")
    return path


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1, signed by itself and valid for a day, and its key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(_key(), hashes.SHA256())
    )
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.touch(mode=0o600)
    key.write_text(_pem(), encoding="utf-8")
    return certificate, key


def _pem() -> str:
    """The key, as files have it."""
    return (
        _key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _is_signed(assertion: str) -> bool:
    """Whether a token of JSON was signed with the key."""
    signed, _, signature = assertion.rpartition(".")
    padded = signature + "=" * (-len(signature) % 4)
    try:
        _key().public_key().verify(
            base64.urlsafe_b64decode(padded), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        return False
    return True

"""Encryption at rest: where keys come from, and the ciphers that use them.

AES in EAX mode, as in LangGraph's `EncryptedSerializer`: a value that was changed, or sealed
under another key, is refused and never comes back as garbage.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from state.errors import ConfigurationError, EncryptionError

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import CipherProtocol

KEY_VARIABLE: Final = "ORCHESTRATION_ENCRYPTION_KEY"
EXTRA: Final = "agent-orchestration-layer[encryption]"
KEY_SIZES: Final = (16, 24, 32)
"""Bytes of an AES key."""

EncryptionKey = str | bytes | Sequence[str | bytes]
"""A key, raw or as hex or base64; or several, of which the first encrypts and all decrypt."""

_MARK = "sealed:"
_HEX = re.compile(r"[0-9a-fA-F]+")
_FORM = (
    "use 16, 24 or 32 random bytes, written as hex or base64, for example what "
    "`openssl rand -base64 32` prints; several keys are separated by commas"
)


class TextCipher(Protocol):
    """Seals texts that are kept in columns of their own; give it JSON."""

    def seal(self, text: str) -> str:
        """Return what to store for a text."""
        ...

    def open(self, sealed: str) -> str:
        """Return the text that was sealed.

        Raises:
            EncryptionError: It is plain where it must not be, or no key opens it.
        """
        ...


class PlainText:
    """The `TextCipher` of a database without encryption."""

    def seal(self, text: str) -> str:
        """Return the text itself."""
        return text

    def open(self, sealed: str) -> str:
        """Return the text itself, unless it was sealed by a process that has a key."""
        if sealed.startswith(_MARK):
            raise encrypted_without_key()
        return sealed


class SealedText:
    """Texts sealed by a cipher, readable as text: a mark, the cipher's name, and base64."""

    def __init__(self, cipher: CipherProtocol) -> None:
        self._cipher = cipher

    def seal(self, text: str) -> str:
        """Encrypt a text."""
        name, sealed = self._cipher.encrypt(text.encode())
        return f"{_MARK}{name}:{base64.b64encode(sealed).decode('ascii')}"

    def open(self, sealed: str) -> str:
        """Decrypt a text; a plain one is refused."""
        if not sealed.startswith(_MARK):
            raise plain_with_key()
        name, _, body = sealed.removeprefix(_MARK).partition(":")
        try:
            data = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise EncryptionError("an encrypted value in the database is damaged") from None
        return self._cipher.decrypt(name, data).decode()


PLAIN_TEXT: Final = PlainText()


class Keyring:
    """LangGraph's AES cipher with several keys: the first encrypts, every one decrypts."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Load the cipher.

        Raises:
            ConfigurationError: The extra `encryption` is not installed.
        """
        from langgraph.checkpoint.serde.encrypted import (  # noqa: PLC0415  heavy
            EncryptedSerializer,
        )

        try:
            self._ciphers = [
                EncryptedSerializer.from_pycryptodome_aes(key=key).cipher for key in keys
            ]
        except ImportError as error:
            raise ConfigurationError(
                f"encryption needs pycryptodome; run `pip install '{EXTRA}'`, or unset "
                f"{KEY_VARIABLE} to keep threads unencrypted"
            ) from error

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the cipher's name, and nonce, tag and ciphertext."""
        return self._ciphers[0].encrypt(plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Return the plaintext under whichever key sealed it.

        Raises:
            EncryptionError: None of the keys did, or it was changed.
        """
        if ciphername != "aes":
            raise EncryptionError(
                f"a stored value is encrypted with {ciphername!r}; only 'aes' is known here"
            )
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(ciphername, ciphertext)
            except ValueError:  # the tag does not fit
                continue
        raise EncryptionError(
            f"a stored value cannot be decrypted with the {len(self._ciphers)} given key(s): it "
            f"was encrypted with another, or it was changed. Give the right key in {KEY_VARIABLE}; "
            "after a change of keys, give the old ones after the new one, separated by commas."
        )


def encryption_keys(given: EncryptionKey | None = None) -> tuple[bytes, ...]:
    """Return the keys as bytes: what is given, else the environment's; none is no encryption.

    Raises:
        ConfigurationError: One of them is no AES key; the message does not show it.
    """
    source = KEY_VARIABLE if given is None else "encryption_key"
    if given is None:
        given = os.environ.get(KEY_VARIABLE, "").strip()
        if not given:
            return ()
    parts: Sequence[str | bytes]
    if isinstance(given, str):
        parts = given.split(",")
    else:
        parts = [given] if isinstance(given, bytes) else list(given)
    if not parts:
        raise ConfigurationError(f"{source} is empty; {_FORM}")
    return tuple(_key(part, source) for part in parts)


def _key(part: str | bytes, source: str) -> bytes:
    """Read one key; 32, 48 or 64 hexadecimal digits are hex, anything else base64."""
    key = part if isinstance(part, bytes) else _decoded(part.strip())
    if key is None:
        raise ConfigurationError(
            f"{source} has a key of {len(part)} characters that is neither hex nor base64; {_FORM}"
        )
    if len(key) not in KEY_SIZES:
        raise ConfigurationError(f"{source} has a key of {len(key)} bytes; {_FORM}")
    return key


def _decoded(text: str) -> bytes | None:
    if _HEX.fullmatch(text) and len(text) in {2 * size for size in KEY_SIZES}:
        return bytes.fromhex(text)
    try:
        return base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        return None


def plain_with_key() -> EncryptionError:
    """The error for a value that was stored without encryption, while it is on."""
    return EncryptionError(
        f"a stored value is not encrypted, and {KEY_VARIABLE} is set, so it is refused: anybody "
        "may have put it there. Begin with a new database when you turn encryption on, or unset "
        "the key to read the old one."
    )


def encrypted_without_key() -> EncryptionError:
    """The error for a value that is encrypted, while no key is given."""
    return EncryptionError(f"a stored value is encrypted; give its key in {KEY_VARIABLE}")

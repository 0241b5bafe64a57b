"""Addresses: what of them may be told to people, and which of them are this machine."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_SECRET: Final = re.compile(r"[?#].*", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]*(:\d*)?|\[[0-9A-Fa-f:.]*\](:\d*)?")
_LONGEST: Final = 200


def told(address: str) -> str:
    """Return an address without user, password, query and fragment, which may be secret.

    It need not be a good one: what is wrong with it is told too.
    """
    plain = _SECRET.sub("", address)
    scheme, found, rest = plain.partition("://")
    if found:
        host, slash, path = rest.partition("/")
        host = host.rpartition("@")[2]
        if not _HOST.fullmatch(host):  # a password with a slash in it, for one
            host, slash, path = "***", "", ""
        plain = f"{scheme}://{host}{slash}{path}"
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def is_loopback(host: str) -> bool:
    """Whether the name or the address of a host, in lower case, is this machine's."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_clear(url: str) -> bool:
    """Whether what is sent to a URL can be read on a network."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")
    except ValueError:  # which is said elsewhere
        return False

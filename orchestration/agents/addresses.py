"""Addresses as they may be told: in messages, logs and lists, which more people read than files."""

from __future__ import annotations

import re
from typing import Final

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

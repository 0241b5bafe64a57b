"""How requests leave this process, and whether they did."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any, Final

import httpx

LONGEST_CONNECT: Final = 10.0
"""Seconds that it may take until a connection stands."""


class Sending:
    """Knows whether anything of a request left this process."""

    def __init__(self) -> None:
        self.began = False

    @property
    def extensions(self) -> dict[str, Any]:
        """What a request needs so that this knows of it."""
        return {"trace": self._note}

    async def _note(self, event: str, _info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.began = True


@cache
def certificates(verify: bool | str) -> ssl.SSLContext:  # noqa: FBT001  a key of the cache
    """How servers' certificates are checked; made once, since it takes milliseconds."""
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return httpx.create_ssl_context(verify=verify)

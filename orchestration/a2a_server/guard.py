"""Who may speak with the server: a bearer token, and no web page."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SCHEME: Final = "bearer "


class Guard:
    """Turns away requests without the token, and what web browsers send for a page.

    Cards may be read by anybody, as clients need them to know how to speak. Without a token
    anybody who reaches the port may use the agents, and a page in a browser on this machine
    reaches it too; browsers say so with `Origin`.

    Args:
        app: What is guarded.
        token: That callers have to send; None if they need none.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if "origin" in headers:
            return JSONResponse({"error": "web pages may not speak with this server"}, 403)
        is_card = scope["method"] == "GET" and scope["path"].endswith(AGENT_CARD_WELL_KNOWN_PATH)
        if self._token is None or is_card or self._has_token(headers):
            return None
        answer = {"error": "a bearer token is needed"}
        return JSONResponse(answer, 401, headers={"www-authenticate": "Bearer"})

    def _has_token(self, headers: Headers) -> bool:
        given = headers.get("authorization", "")
        if self._token is None or not given.lower().startswith(_SCHEME):
            return False
        return hmac.compare_digest(given[len(_SCHEME) :].strip().encode("latin-1"), self._token)

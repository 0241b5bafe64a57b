"""A fake Vertex AI on loopback sockets, for tests of agents that are there.

    with FakeVertex() as vertex:
        vertex.script.act = Reply(pieces=("Two ", "seats."), usage=(12, 5))
        os.environ["TICKETING_ENDPOINT"] = vertex.address("endpoints/99")
        ...
        assert vertex.script.received[0].texts == ["Book 2 seats"]

It speaks REST and gRPC: Gemini (`generateContent`, `streamGenerateContent`, `countTokens`),
predict endpoints (`predict`) and Agent Engine (`query`, `streamQuery`, the description of an
agent). It also gives out tokens, to the credentials that `credentials_file` writes, and accepts no
others once that was called. Needs the extra `fakes`.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from orchestration.testing.fake_tokens import (
    FakeTokens,
    write_certificate,
    write_service_account,
)
from orchestration.testing.fake_vertex_rest import RestFake
from orchestration.testing.fake_vertex_script import (
    Act,
    Failure,
    Nonsense,
    Received,
    Reply,
    Script,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = [
    "Act",
    "Failure",
    "FakeVertex",
    "Nonsense",
    "Received",
    "Reply",
    "Script",
    "write_certificate",
]

PROJECT: Final = "projects/p1/locations/us-central1"
_PATIENCE: Final = 30.0


class FakeVertex:
    """Serves on two ports of this machine while its block runs.

    Args:
        certificate: Files with a certificate and its key, to speak TLS with; see
            `write_certificate`.
    """

    def __init__(self, *, certificate: tuple[Path, Path] | None = None) -> None:
        from orchestration.testing.fake_vertex_grpc import GrpcFake  # noqa: PLC0415  heavy

        self.script = Script()
        """What it does, and what it got."""
        self.tokens = FakeTokens()
        """Whom it gives tokens."""
        self._is_secure = certificate is not None
        self._grpc = GrpcFake(self.script, certificate=certificate)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._server = uvicorn.Server(
            uvicorn.Config(
                RestFake(self.script, self.tokens).application(),
                log_config=None,
                log_level="critical",
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
                ssl_certfile=certificate and certificate[0],
                ssl_keyfile=certificate and certificate[1],
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="fake-vertex"
        )

    @property
    def url(self) -> str:
        """Where it speaks REST."""
        scheme = "https" if self._is_secure else "http"
        return f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"

    def address(self, resource: str, *, transport: str = "rest") -> str:
        """Return the address of an agent there.

        Args:
            resource: E.g. `endpoints/99` or `reasoningEngines/9`.
            transport: `rest` or `grpc`.
        """
        if transport == "grpc":
            scheme = "grpcs" if self._is_secure else "grpc"
            return f"{scheme}://127.0.0.1:{self._grpc.port}/{PROJECT}/{resource}"
        return f"{self.url}/v1/{PROJECT}/{resource}"

    def credentials_file(self, path: Path) -> Path:
        """Write credentials whose tokens come from here; from now on no others are accepted."""
        self.script.tokens = self.tokens.given
        return write_service_account(path, token_uri=f"{self.url}/token")

    def __enter__(self) -> Self:
        self._grpc.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.script.release()
        self._server.should_exit = True
        self._grpc.stop()
        self._thread.join(_PATIENCE)
        self._socket.close()

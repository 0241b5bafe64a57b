"""A fake Vertex AI that speaks gRPC, as far as this project uses it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]
from google.api import httpbody_pb2  # type: ignore[import-untyped]
from google.protobuf.any_pb2 import Any as AnyMessage  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.protobuf.json_format import MessageToDict, ParseDict  # type: ignore[import-untyped]
from google.rpc import status_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from grpc_status.rpc_status import to_status  # type: ignore[import-untyped]

from orchestration.testing.fake_vertex_forms import (
    gemini_json,
    output_json,
    piece_json,
    prediction_json,
)
from orchestration.testing.fake_vertex_script import (
    PATIENCE,
    REASONS,
    Failure,
    Nonsense,
    Received,
    Reply,
    Script,
)
from orchestration.testing.fake_vertex_services import Method, services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.jsonvalue import JsonObject

THREADS: Final = 80
"""Calls that the fake can hold at once."""
_NONSENSE: Final = b"\xff\xff\xff"


class GrpcFake:
    """A server that answers like Vertex AI."""

    def __init__(self, script: Script, *, certificate: tuple[Path, Path] | None) -> None:
        self._script = script
        self._server = grpc.server(ThreadPoolExecutor(THREADS))
        for service in services():
            handlers = {name: self._handler(each) for name, each in service.methods.items()}
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.name, handlers),)
            )
        self.port: int = (
            self._server.add_insecure_port("127.0.0.1:0")
            if certificate is None
            else self._server.add_secure_port("127.0.0.1:0", _tls(*certificate))
        )

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """End, and all that is under way."""
        self._server.stop(grace=None).wait(PATIENCE)

    def _handler(self, method: Method) -> grpc.RpcMethodHandler:
        make = (
            grpc.unary_stream_rpc_method_handler
            if method.in_pieces
            else grpc.unary_unary_rpc_method_handler
        )
        answer: Callable[..., Any] = self._pieces if method.in_pieces else self._whole
        return make(
            partial(answer, method),
            request_deserializer=partial(_read, method.request),
            response_serializer=partial(_written, method.response),
        )

    def _whole(self, method: Method, request: JsonObject, context: Any) -> object:  # noqa: ANN401
        received = _received(method, request, context)
        if method.name in {"get", "countTokens"}:
            return self._describe(received, context)
        act = self._script.enter(received)
        if isinstance(act, Nonsense):
            return _NONSENSE
        reply = _not_failed(act, context)
        with self._watching(context):
            self._hold(reply.held_after is not None, context)
        if reply.broken_after is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        if method.name == "generateContent":
            return gemini_json(reply, text=reply.text, is_last=True)
        return (
            prediction_json(reply) if method.name == "predict" else {"output": output_json(reply)}
        )

    def _pieces(self, method: Method, request: JsonObject, context: Any) -> Iterator[object]:  # noqa: ANN401
        act = self._script.enter(_received(method, request, context))
        if isinstance(act, Nonsense):
            yield b"this is no JSON\n" if method.name == "streamQuery" else _NONSENSE
            return
        reply = _not_failed(act, context)
        pieces = reply.pieces or ("",)
        with self._watching(context):
            for number, text in enumerate(pieces):
                self._hold(number == reply.held_after, context)
                if number == reply.broken_after:
                    break
                is_last = number == len(pieces) - 1
                if method.name == "streamQuery":
                    said = piece_json(reply, text, is_last=is_last)
                    yield f"{json.dumps(said)}\n".encode()
                else:
                    yield gemini_json(reply, text=text, is_last=is_last)
        if reply.broken_after is not None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _describe(self, received: Received, context: Any) -> JsonObject:  # noqa: ANN401  gRPC's
        if (failure := self._script.probe(received)) is not None:
            _abort(failure, context)
        if received.method == "countTokens":
            return {"totalTokens": 1}
        spec: JsonObject = {"classMethods": list[Any](self._script.methods)}
        return {"name": received.resource, "displayName": "fake", "spec": spec}

    @contextmanager
    def _watching(self, context: Any) -> Iterator[None]:  # noqa: ANN401  gRPC's
        """Note it if the caller goes while this runs; a stream may then end within it."""
        is_over = threading.Event()

        def ended() -> None:
            if not is_over.is_set():
                self._script.leave_early()

        context.add_callback(ended)
        yield
        is_over.set()

    def _hold(self, wanted: bool, context: Any) -> None:  # noqa: ANN401, FBT001  gRPC's
        """Wait until it is released or the caller goes, if this is wanted."""
        if not wanted:
            return
        over = threading.Event()
        self._script.released.add_done_callback(lambda _: over.set())
        if not context.add_callback(over.set):
            over.set()
        over.wait(PATIENCE)


def _tls(certificate: Path, key: Path) -> grpc.ServerCredentials:
    pair = (key.read_bytes(), certificate.read_bytes())
    return grpc.ssl_server_credentials([pair])


def _read(kind: Any, data: bytes) -> JsonObject:  # noqa: ANN401  a class of Google's
    """A request as JSON."""
    found: JsonObject = MessageToDict(kind.pb(kind.deserialize(data)))
    return found


def _written(kind: Any, answer: object) -> bytes:  # noqa: ANN401  a class of Google's
    """An answer in bytes; what is bytes already is a body of HTTP, or nonsense."""
    if isinstance(answer, bytes):
        if kind is not httpbody_pb2.HttpBody:
            return answer
        body = httpbody_pb2.HttpBody(content_type="application/json", data=answer)
        return bytes(body.SerializeToString())
    message = ParseDict(answer, kind.pb()(), ignore_unknown_fields=True)
    return bytes(message.SerializeToString())


def _received(method: Method, request: JsonObject, context: Any) -> Received:  # noqa: ANN401
    named = next(request[name] for name in ("model", "endpoint", "name") if name in request)
    return Received(
        transport="grpc",
        method=method.name,
        resource=str(named),
        body=request,
        headers={
            key: value for key, value in context.invocation_metadata() if isinstance(value, str)
        },
        remaining_seconds=context.time_remaining(),
    )


def _not_failed(act: Any, context: Any) -> Reply:  # noqa: ANN401  gRPC's
    """What is to be answered; a failure ends the call here."""
    if isinstance(act, Failure):
        _abort(act, context)
    reply: Reply = act
    return reply


def _abort(failure: Failure, context: Any) -> None:  # noqa: ANN401  gRPC's
    """End a call with an error, as Google says it over gRPC."""
    code = grpc.StatusCode[failure.reason or REASONS.get(failure.status, "UNKNOWN")]
    status = status_pb2.Status(code=code.value[0], message=failure.message)
    if failure.retry_after is not None:
        wait = Duration()
        wait.FromMilliseconds(int(failure.retry_after * 1000))
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=wait))
        status.details.append(detail)
    context.abort_with_status(to_status(status))

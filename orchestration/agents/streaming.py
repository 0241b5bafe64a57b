"""Text of chat models in pieces, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers._streaming import _StreamingCallbackHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from uuid import UUID


class TokenHandler(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """Passes on what chat models say; with it, they are asked to say it in pieces.

    LangChain's base class for that is private, though LangGraph builds on it too.
    """

    run_inline = True  # in order, and in the event loop

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit

    def on_llm_new_token(
        self,
        token: str | list[str | dict[str, Any]],
        *,
        chunk: Any = None,  # noqa: ANN401  LangChain's
        **_: Any,  # noqa: ANN401  LangChain's
    ) -> None:
        """Pass a piece on."""
        text = token if isinstance(token, str) else str(chunk.text)
        if text:
            self._emit(text)

    def tap_output_aiter(self, run_id: UUID, output: AsyncIterator[Any]) -> AsyncIterator[Any]:  # noqa: ARG002
        """Leave streams of Runnables alone."""
        return output

    def tap_output_iter(self, run_id: UUID, output: Iterator[Any]) -> Iterator[Any]:  # noqa: ARG002
        """Leave streams of Runnables alone."""
        return output

"""The compression layer: cuts the messages of a call's input to a number of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nodes.compression import AsyncSummarise, TokenCounter
    from nodes.middleware import AgentCall, Proceed, Reply

NAME: Final = "compression"


class CompressionLayer:
    """Gives agents no more messages than they are to get."""

    name = NAME

    def __init__(
        self,
        compress_to: int | None,
        *,
        counter: TokenCounter | None = None,
        summarise: AsyncSummarise | None = None,
    ) -> None:
        """Take how many tokens calls may have that say nothing themselves; None is no limit."""
        self._compress_to = compress_to
        self._counter = counter
        self._summarise = summarise

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Cut the messages where they are too long."""
        limit = call.work.get("compress_to") or call.agent.settings.compress_to
        limit = limit or self._compress_to
        messages = call.input.get("messages")
        if limit is None or not isinstance(messages, list) or not messages:
            return await proceed(call)
        from nodes.compression import acompress  # noqa: PLC0415  only where it is used

        done = await acompress(
            messages, max_tokens=limit, counter=self._counter, summarise=self._summarise
        )
        if done.tokens_after == done.tokens_before:
            return await proceed(call)
        call.tell(
            NAME,
            {
                "verdict": "compressed",
                "tokens_before": done.tokens_before,
                "tokens_after": done.tokens_after,
            },
        )
        return await proceed(call.with_input({**call.input, "messages": [*done.messages]}))

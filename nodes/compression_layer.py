"""The compression layer: cuts the messages of a call to a number of tokens.

The input's own messages come first; what is left goes to the thread's history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nodes.middleware import was_served
from nodes.token_ratios import TokenRatios
from state.errors import PromptTooLongError
from state.outcome import usage_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodes.compression import AsyncSummarise, Compressed, TokenCounter
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
        """Take how many tokens calls may have that say nothing themselves.

        Args:
            compress_to: None is no limit.
            counter: Counts tokens; by default it is learnt from what agents say they used.
            summarise: Sums up what is left out.
        """
        self._compress_to = compress_to
        self._counter = counter
        self._summarise = summarise
        self._ratios = TokenRatios()

    async def __call__(self, call: AgentCall, proceed: Proceed) -> Reply:
        """Cut the messages where they are too long."""
        messages = call.input.get("messages")
        if not isinstance(messages, list) or not messages:
            return await proceed(call)
        await call.agent.settle(call.context)  # what counts is what the very version says
        limit = call.work.get("compress_to") or call.agent.settings.compress_to
        limit = limit or self._compress_to
        if limit is None:
            return await proceed(call)
        agent = f"{call.agent.agent_id}@{call.agent.version}"
        counter = self._counter or self._ratios.counter(agent)
        cut = await self._cut(call, messages, limit, counter)
        reply = await proceed(cut)
        if self._counter is None and not was_served(call.verdicts):
            self._learn(agent, cut, reply)
        return reply

    async def _cut(
        self, call: AgentCall, messages: Sequence[Any], limit: int, counter: TokenCounter
    ) -> AgentCall:
        said = await self._compressed(messages, limit, counter)
        before = after = 0
        history = list(call.context.history)
        if history:
            before = counter(history)
            history, after = await self._history(history, limit - said.tokens_after, counter)
        before, after = before + said.tokens_before, after + said.tokens_after
        if before == after:
            return call
        call.tell(NAME, {"verdict": "compressed", "tokens_before": before, "tokens_after": after})
        cut = call.with_input({**call.input, "messages": [*said.messages]})
        return replace(cut, context=call.context._replace(history=history))

    async def _history(
        self, history: list[Any], left: int, counter: TokenCounter
    ) -> tuple[list[Any], int]:
        """Cut the history to what is left; it goes as a whole where that is too little."""
        if left < 1:
            return [], 0
        try:
            done = await self._compressed(history, left, counter)
        except PromptTooLongError:
            return [], 0
        return done.messages, done.tokens_after

    async def _compressed(
        self, messages: Sequence[Any], limit: int, counter: TokenCounter
    ) -> Compressed:
        from nodes.compression import acompress  # noqa: PLC0415  only where it is used

        return await acompress(
            messages, max_tokens=limit, counter=counter, summarise=self._summarise
        )

    def _learn(self, agent: str, call: AgentCall, reply: Reply) -> None:
        from nodes.compression import approximate_tokens  # noqa: PLC0415  as above

        usage = usage_in(reply) if isinstance(reply, dict) else None
        messages = call.input.get("messages")
        if usage is not None and isinstance(messages, list):
            sent = approximate_tokens([*call.context.history, *messages])
            self._ratios.learn(agent, approximate=sent, actual=usage["input_tokens"])

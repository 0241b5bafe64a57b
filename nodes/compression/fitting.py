"""Fits a draft to a budget by a counter that is asked as seldom as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from nodes.compression.counting import TokenCounter, approximate_tokens
from nodes.compression.cutting import Cutting
from nodes.compression.draft import Draft
from nodes.compression.ranking import Ranking
from nodes.compression.view import View, inset
from state.errors import PromptTooLongError

MOST_COUNTS: Final = 6
"""Times that a counter is asked before only the least is left to try."""


class Fitted(NamedTuple):
    """Messages that fit."""

    messages: list[Any]
    tokens: int


class Fitting:
    """A history, a counter, and how many of its tokens an approximate one is.

    Args:
        views: The repaired history.
        count: The counter.
        tokens: What the history takes, by it.
        max_tokens: The budget, by it.
        focus: Open tasks, in words.
    """

    def __init__(
        self,
        views: Sequence[View],
        *,
        count: TokenCounter,
        tokens: int,
        max_tokens: int,
        focus: Sequence[str],
    ) -> None:
        self.draft = Draft(views)
        self.count = count
        self.max_tokens = max_tokens
        self.ratio = tokens / max(1, sum(self.draft.tokens))
        budget = int(max_tokens / self.ratio)
        ranking = Ranking(self.draft, focus=focus, budget=budget)
        self.rest = int(ranking.rest * self.ratio)
        """Tokens of the budget for what is not a system message, by the counter."""
        self.cutting = Cutting(self.draft, ranking)

    def fit(self, *, reserve: int = 0) -> Fitted:
        """Cut as little as makes the draft fit.

        Args:
            reserve: Tokens to leave free.

        Raises:
            PromptTooLongError: If the least does not fit.
        """
        allowed = self.max_tokens - reserve
        target = int(allowed / self.ratio)
        for _ in range(MOST_COUNTS):
            is_more = self.cutting.fit(target)
            fitted = self._counted()
            if fitted.tokens <= allowed:
                return fitted
            if not is_more:
                break
            target = min(target - 1, target * allowed // fitted.tokens)
        self.cutting.fit(0)
        fitted = self._counted()
        if fitted.tokens > allowed:
            raise PromptTooLongError(allowed, fitted.tokens)
        return fitted

    def fit_with(self, summary: str, *, max_tokens: int) -> Fitted | None:
        """Cut so much that a summary fits too; None if it cannot.

        Args:
            summary: What a model said of what goes.
            max_tokens: What it may take; of a longer one the end goes.
        """
        characters = int(max_tokens / self.ratio) * 4
        self.draft.summary = inset(summary.strip()[:characters])
        try:
            return self.fit() if self.draft.summary else None
        except PromptTooLongError:
            return None

    def gone(self) -> list[View]:
        """Return the messages that do not stand."""
        pairs = zip(self.draft.views, self.draft.standing, strict=True)
        return [view for view, stands in pairs if not stands]

    def _counted(self) -> Fitted:
        messages = self.draft.messages()
        if self.count is approximate_tokens:
            return Fitted(messages, self.draft.count())
        return Fitted(messages, self.count(messages))

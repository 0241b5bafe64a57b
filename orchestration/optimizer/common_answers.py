"""Answers to common questions, kept and found by their text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from orchestration.agents.chat import AgentReply
from state.cache_key import canonical
from state.caching import tag_problem
from state.errors import CacheUnreachableError
from state.jsonvalue import described, json_object

if TYPE_CHECKING:
    from checkpoints.cache_store import ResponseStore

    FullKey = tuple[tuple[str, ...], str]

NAMESPACE: Final = "common"
DEFAULT_TTL: Final = timedelta(hours=1)
LONGEST_QUERY: Final = 100_000
"""Characters."""

_RUN: Final = re.compile(r"\s+")


class CommonAnswers:
    """A small cache by text, in the same store as the answers of agents.

    Case, white space, the Unicode form and closing `?`, `!` and `.` do not count.
    """

    def __init__(self, store: ResponseStore) -> None:
        """Take the store; it stays its owner's to close."""
        self._store = store
        self._lock = Lock()
        self.hits = 0
        """Of this object, since it was made."""
        self.misses = 0

    def get(self, query: str, *, tenant: str | None = None, user: str | None = None) -> Any:  # noqa: ANN401  what was put
        """Return the kept answer, or None; None too if the store does not answer now.

        Raises:
            TypeError: The query is no text.
        """
        found = self._found(_key(query, tenant, user))
        is_hit = isinstance(found, dict) and found.get("response") is not None
        with self._lock:
            self.hits += is_hit
            self.misses += not is_hit
        if not is_hit:
            return None
        response = found["response"]
        is_reply = bool(found.get("reply")) and isinstance(response, dict)
        return AgentReply(response) if is_reply else response

    def _found(self, key: FullKey) -> Any:  # noqa: ANN401  whatever a store holds
        try:
            return self._store.get([key]).get(key)
        except CacheUnreachableError:
            return None

    def put(  # noqa: PLR0913  who may get it, and how long, is said by keywords
        self,
        query: str,
        response: object,
        *,
        tags: Sequence[str] = (),
        ttl: timedelta = DEFAULT_TTL,
        tenant: str | None = None,
        user: str | None = None,
    ) -> bool:
        """Keep an answer; whether that was done, as the store may not answer now.

        Args:
            query: The question.
            response: Any JSON value but None, or an `AgentReply`.
            tags: Names by which it can be invalidated.
            ttl: For how long; more than nothing.
            tenant: Only who gives the same one to `get` is given the answer.
            user: Likewise.

        Raises:
            TypeError: The query is no text, or the tags are no list of texts.
            NotJsonError: The response is not JSON.
            ValueError: It is None, or the `ttl` is not positive.
        """
        from checkpoints.cache_store import Kept  # noqa: PLC0415  heavy
        from checkpoints.cache_values import Labels  # noqa: PLC0415  with the heavy one

        key = _key(query, tenant, user)
        _check(response, tags, ttl)
        is_reply = isinstance(response, AgentReply)
        plain = dict(response) if isinstance(response, Mapping) else response
        value = {**json_object({"response": plain}, at="answer"), "reply": is_reply}
        labels = Labels(tenant=tenant, tags=tuple(tags))
        try:
            return self._store.keep(key, Kept(value, ttl.total_seconds(), labels))
        except CacheUnreachableError:
            return False


def _check(response: object, tags: object, ttl: object) -> None:
    if response is None:
        raise ValueError("response is None, which get() returns for nothing; give an answer")
    if not isinstance(ttl, timedelta) or ttl <= timedelta(0):
        raise ValueError(f"ttl is {described(ttl)}; it must be a timedelta above 0")
    if (problem := tag_problem(tags)) is not None:
        raise TypeError(f"tags is {problem}")


def normal_query(query: str) -> str:
    """Write a query in the one way that equal ones share."""
    # 10² is not 102: only what is no numeral of its own may become another sign
    has_numerals = any(unicodedata.category(each) == "No" for each in query)
    folded = unicodedata.normalize("NFC" if has_numerals else "NFKC", query).casefold()
    text = _RUN.sub(" ", folded).strip()
    return text.rstrip("?!. ") or text


def _key(query: str, tenant: str | None, user: str | None) -> FullKey:
    if not isinstance(query, str):
        raise TypeError(f"query is {described(query)}; give the question as text")
    if len(query) > LONGEST_QUERY:
        raise ValueError(f"query has {len(query)} characters; at most {LONGEST_QUERY} are allowed")
    among = () if tenant is None else (tenant,)
    return (NAMESPACE, *among), canonical([user, normal_query(query)])

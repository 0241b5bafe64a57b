"""Terms that a purchase may set and that nobody here can keep."""

from __future__ import annotations

import re

from state.errors import AgentRefusedError

_PRICE_LIMIT = re.compile(
    r"\b(?:under|below|at\s+most|max(?:imum)?|up\s+to|less\s+than|within|cheaper|budget)\b"
    r".*(?:\$|usd|dollars?)",
    re.IGNORECASE,
)
_SPECIAL_SEATS = re.compile(
    r"\b(?:vip|season|courtside|front[\s-]row|section|row|aisle|balcony|student|child(?:ren)?|senior)\b",
    re.IGNORECASE,
)


def refuse_unkept_terms(text: str) -> None:
    """Refuse a purchase that sets a price limit or wants particular seats.

    Raises:
        AgentRefusedError: It does; selling anyway would not be what was asked.
    """
    if limit := _PRICE_LIMIT.search(text):
        raise AgentRefusedError(
            f"The request sets a limit ({limit[0]!r}), which cannot be promised. Nothing was "
            "bought; ask for the price first, then order without a limit."
        )
    if special := _SPECIAL_SEATS.search(text):
        raise AgentRefusedError(
            f"The request asks for {special[0]!r}, but seats are all of one kind and the best free "
            "ones are assigned. Nothing was bought; order without it."
        )

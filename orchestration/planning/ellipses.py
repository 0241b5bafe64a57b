"""Parts that leave out their verb: `… and a $400 travel expense`, `… and the travel budget`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.agents.team.seed import MONTHLY_BUDGETS

if TYPE_CHECKING:
    from orchestration.planning.drafts import Draft

_COUNT = (
    r"(?:[0-9]{1,4}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty"
    r"|thirty|forty|fifty|(?:a\s+)?(?:couple|dozen)|half\s+a\s+dozen)"
)
_DEPARTMENT = rf"(?:{'|'.join(MONTHLY_BUDGETS)})"
_MONEY = r"\$\s?[0-9](?:[0-9.,]*[0-9])?(?:k|\s+thousand)?"
_LIKE_BEFORE: Final = (
    (
        "purchase_tickets",
        rf"(?:another\s+)?{_COUNT}(?:\s+more)?(?:\s+of\s+them)?\s+(?P<rest>(?:for|to|at|on)\b.*)",
        "book {words}",
    ),
    (
        "log_expense",
        rf"(?:an?|another)\s+(?P<money>{_MONEY})\s+(?P<rest>(?:[\w-]+\s+){{0,2}}expense\b.*)",
        "log a {money} {rest}",
    ),
    (
        "log_expense",
        (
            rf"(?:an?|another|one)\s+(?:(?:one\s+)?(?:of|for)\s+)?(?P<money>{_MONEY})\s+"
            rf"(?:one\s+)?(?P<rest>(?:to|for|under|against|on)\s+(?:the\s+)?{_DEPARTMENT}\b.*"
            r"|for\s+.+)"
        ),
        "log a {money} expense {rest}",
    ),
    ("check_budget", rf"(?:the\s+|our\s+)?{_DEPARTMENT}\s+budgets?\b", "check {words}"),
    (
        "request_leave",
        (
            rf"(?:another\s+)?(?P<count>{_COUNT})\s+(?:more\s+)?days?\s+"
            r"(?:of\s+leave\s+|off\s+)?(?P<rest>for\s+(?-i:[A-Z]).*)"
        ),
        "request {count} days of leave {rest}",
    ),
    ("update_opportunity", r"(?:opportunity|deal)\s+#?[0-9]+\s+(?:as|to)\b", "mark {words}"),
    (
        "create_proposal",
        rf"(?:an?|another)\s+(?P<money>{_MONEY})\s+(?:one|proposal)\s+(?P<rest>for\b.*)",
        "create a {money} proposal {rest}",
    ),
    (
        "create_opportunity",
        rf"(?:an?|another)\s+(?P<money>{_MONEY})\s+(?:one|opportunity)\s+(?P<rest>(?:for|with)\b.*)",
        "create a {money} opportunity {rest}",
    ),
)
_FORMS: Final = tuple(
    (action, re.compile(pattern, re.IGNORECASE | re.DOTALL), spelled)
    for action, pattern, spelled in _LIKE_BEFORE
)
_SAME_VERB: Final = {"approve_expense": "log_expense"}
_OTHER_DEAL: Final = re.compile(
    rf"(?:an?|another)\s+(?:{_MONEY}\s+)?(?:proposal|opportunity)\b", re.IGNORECASE
)


def leaves_out_verb(words: str) -> bool:
    """Tell whether words may go on with the verb of the part before them."""
    return any(pattern.match(words) for _, pattern, _ in _FORMS) or bool(_OTHER_DEAL.match(words))


def spelled_out(words: str, before: Draft) -> str:
    """Return words with the verb of the part before them; unchanged if they are no such part."""
    said = str(before.fields.get("action", ""))
    if said in {"create_proposal", "create_opportunity"} and _OTHER_DEAL.match(words):
        return f"create {words}"
    for action, pattern, spelled in _FORMS:
        match = pattern.match(words)
        if match is None or action != _SAME_VERB.get(said, said):
            continue
        whole = spelled.format(words=words, **match.groupdict())
        return re.sub(r"^log", "approve", whole) if said == "approve_expense" else whole
    return words

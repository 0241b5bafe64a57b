"""Asking a person first: how requests say it, and what it is about."""

from __future__ import annotations

import re
from typing import Final

APPROVAL_NOUN: Final = (
    r"(?:approvals?|sign[\s-]?offs?|permission|authori[sz]ation|go-?ahead"
    r"|(?<=\bthe\s)go\s+ahead|(?<=\ba\s)go\s+ahead|green\s+light|consent|clearance"
    r"|blessing|thumbs[\s-]up|ok(?:ay)?)\b"
)
_WHO = r"(?:(?!(?:and|or|if|for|to)\b)[\w.'-]+\s+){0,5}?"
_IT = (
    r"(?:it|this|that|them|these|those|everything|all\s+of\s+(?:it|this)|(?:the|our|my"
    r"|his|her|their|any)\s+(?:[\w$.,-]+\s+){0,4}?[\w-]+)"
)
_APPROVED = r"(?:approved|signed\s+off|authori[sz]ed|cleared|ok(?:'d|ayed|ed)|sanctioned)\b"
_APPROVE = (
    r"(?:approve|sign\s+(?:it\s+|this\s+|that\s+|them\s+)?off|sign-off|authori[sz]e|ok"
    r"|okay|give\s+(?:the|an?|their|his|her|its)\s+(?:approval|ok(?:ay)?|go-?ahead"
    r"|(?<=\bthe\s)go\s+ahead|(?<=\ba\s)go\s+ahead|permission|sign-?off))\b"
)
_MUST = r"(?:must|has\s+to|have\s+to|needs?\s+to|should|will\s+(?:have|need)\s+to|ought\s+to|to)"
_BOSS = (
    r"(?:(?:my|our|the|his|her|their)\s+(?:[\w-]+\s+)?(?:manager|boss|supervisor"
    r"|director|team\s+lead|lead|cfo|ceo|head\s+of\s+\w+|line\s+manager|approver)"
    r"|finance|management|(?-i:[A-Z])[\w-]+(?:\s+(?-i:[A-Z])[\w-]+)?)"
)
_ASKS = re.compile(
    rf"""(?:
      (?:get|obtain|request|seek|secure|need|needs|require|requires|await|wait\s+for|have|want|arrange|collect|get\s+(?:me|us)|(?:which|that|it|this)\s+(?:needs|requires)
         |(?:i|we)(?:'ll|\s+will)?\s+(?:also\s+)?(?:need|want|require)|subject\s+to|pending|upon|with|ask(?:\s+{_WHO})?\s*for|apply\s+for|go\s+(?:and\s+)?get|there\s+must\s+be)\s+{_WHO}{APPROVAL_NOUN}
     |(?:get|have|(?:(?:i|we)\s+)?(?:need|want))\s+{_IT}\s+(?:to\s+be\s+)?{_APPROVED}
     |(?:get|have|ask|let|need|want)\s+{_WHO}(?:to\s+)?{_APPROVE}
     |(?:ask|check\s+with)\s+{_WHO}(?:whether|if)\s+(?:it's|it\s+is|that's|this\s+is|we\s+(?:can|may)).*
     |(?:run|clear)\s+{_IT}\s+(?:by|past|with)\b
     |(?:ask|check\s+with|consult)\s+{_BOSS}(?=\s*$|\s+(?:first|about\s+it|before|for\s+an?\s+ok))
     |(?:{_WHO}|.{{1,60}}\s){_MUST}\s+{_APPROVE}
     |(?:{_IT}\s+|which\s+|that\s+|they\s+|anything\s+)?(?:needs?|requires?|must\s+have|has\s+to\s+have|should\s+have|will\s+need|is\s+subject\s+to|are\s+subject\s+to|waits\s+for)\s+{_WHO}{APPROVAL_NOUN}
     |(?:{_IT}\s+|which\s+|that\s+|they\s+)?(?:must|has\s+to|have\s+to|needs?\s+to|should|is\s+to|are\s+to|will\s+have\s+to|to)\s+be\s+{_APPROVED}
     |(?:an?\s+|the\s+)?(?:{_WHO}){APPROVAL_NOUN}(?:\s+(?:is|will\s+be|are))?(?:\s+(?:also\s+)?(?:needed|required|necessary))?(?=\s*$|\s+(?:by|from|of|for|on|please|first)\b)
     |(?:make\s+sure|ensure)\s+(?:that\s+)?{_WHO}(?:approves|signs\s+off|agrees|is\s+ok\s+with\s+it|has\s+approved)
     |(?:make\s+sure|ensure)\s+(?:that\s+)?{_IT}(?:'s|\s+is|\s+gets)\s+{_APPROVED}
     |(?:make\s+sure|ensure)\s+(?:that\s+)?(?:there\s+is|there's|we\s+have|you\s+have|you\s+get)\s+{_WHO}{APPROVAL_NOUN}
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_ABOUT: tuple[tuple[str, str], ...] = (
    ("expense", r"expenses?|spend(?:ing)?|costs?|payments?|invoices?|amount"),
    ("leave", r"leave|vacation|holidays?|time\s+off|days\s+off|pto"),
    ("onboarding", r"on-?boarding|hire|hiring|new\s+(?:hire|joiner|starter)"),
    ("proposal", r"proposal|offer|quote|quotation"),
    ("opportunity", r"opportunity|deal"),
    ("crm_update", r"crm|note"),
    ("notification", r"text|sms|message"),
    ("cancellation", r"cancellation|refund"),
    ("purchase", r"tickets?|purchase|order|booking|seats?|reservation"),
)


def asks_person(words: str) -> re.Match[str] | None:
    """Tell whether a clause asks that a person approves something."""
    return _ASKS.match(words)


def approval_topic(words: str) -> str | None:
    """Return what an approval is said to be about, as a task's name; None if it is not said."""
    said = re.sub(
        r"\b(?:head\s+of|from|by)\s+(?:the\s+)?\w+(?:\s+\w+)?", " ", words, flags=re.IGNORECASE
    )
    for name, pattern in _ABOUT:
        if re.search(rf"(?:\b|(?=\$))(?:{pattern})\b", said, re.IGNORECASE):
            return name
    return "expense" if re.search(r"\$\s?[0-9]", said) else None

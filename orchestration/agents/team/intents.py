"""The ways people ask each agent for what it does, most particular first."""

from __future__ import annotations

from orchestration.agents.team.quantities import NUMBER_AT_START
from orchestration.agents.team.understanding import asks

_THINGS = r"(?:tickets?|seats?|passes)\b"
_SHOWS = r"(?:events?|games?|match(?:es)?|concerts?|shows?|gigs?)\b"
_NUMBERED = rf"(?:{NUMBER_AT_START.pattern.replace('?P<number>', '?:')})"
_FEW_WORDS = (
    r"(?:(?!about|approval|info|information|refund)(?:[\w'-]|(?<=[0-9])[.,](?=[0-9]))+\s+){0,4}?"
)
_ANOTHER_WAY = r"(?!.*\b(?:refund\w*|cancel\w*|sell|resell|transfer\w*|exchange\w*|upgrade\w*)\b)"
_DOCUMENT = r"(?:proposal|offer|quote)\b"
_LEAVE = r"(?:leave|vacation|holidays?|time\s+off|days?\s+off|pto)\b"

TICKETING = (
    asks(
        "cancel_order", r"(?:cancel|refund|return)\b(?=.*\b(?:orders?|tickets?|booking|purchase)\b)"
    ),
    asks("cancel_order", r"(?:cancel|refund)\s+(?:it|that|#?[0-9]+)\s*$"),
    asks(
        "check_availability",
        rf"(?:how\s+many\s+{_THINGS}|(?:are|is)\b.*\b{_THINGS}|(?:are|is)\b.*\bsold\s+out\b"
        rf"|(?:do|have)\s+(?:you|we)\b.*\b{_THINGS}|check\b.*\b(?:availability|{_THINGS})"
        r"|what(?:'s|\s+is|\s+seats\s+are)\s+(?:still\s+)?(?:available|left))",
        effect=False,
    ),
    asks(
        "list_events",
        r"(?:what|which)(?:'s|\s+is)?\s+on\b|(?:what|which)\b(?!\s+time).*\b(?:events|games|concerts|shows)\b"
        rf"|(?:list|show)\b.*\b{_SHOWS}|(?:are|is)\s+there\b.*\b{_SHOWS}",
        effect=False,
    ),
    asks(
        "event_info",
        rf"(?:how\s+much\b|what\s+time\b|(?:what|which)\b.*\b(?:price|cost|{_THINGS}"
        rf"|{_SHOWS})|(?:when|where)(?:'s|\s+(?:is|are|does|do))\b|tell\s+(?:me|us)\b.*\b{_SHOWS})",
        effect=False,
    ),
    asks(
        "send_sms",
        r"(?:send|text)\b(?=.*\b(?:sms|texts?|messages?|confirmations?|notifications?|reminders?)\b)"
        r"|(?:text|message|sms)\s+(?:\+?[0-9]|[a-z]+)|notify\b",
        speech=True,
    ),
    asks(
        "purchase_tickets",
        rf"(?:book|buy|purchase|reserve|order)\s+{_FEW_WORDS}{_THINGS}{_ANOTHER_WAY}",
    ),
    asks(
        "purchase_tickets",
        rf"(?:(?:(?:i|we)\s+|(?:i|we)'(?:d|ll)\s+)?(?:would\s+)?(?:need|want|like|get|have|grab|take)"
        rf"\s+(?:me\s+|us\s+)?)?{_NUMBERED}\s+(?:of\s+)?{_FEW_WORDS}{_THINGS}{_ANOTHER_WAY}",
    ),
    asks(
        "purchase_tickets",
        rf"(?:i|we)\s+(?:need|want)\s+(?:some\s+)?{_THINGS}{_ANOTHER_WAY}",
    ),
)
SALES = (
    asks(
        "update_opportunity",
        r"(?:update|move|mark|close|set|advance|win|lose)\b(?=.*\b(?:opportunity|deal)\b)",
    ),
    asks(
        "create_opportunity", r"(?:create|open|add|log|make|start)\b(?=.*\b(?:opportunity|deal)\b)"
    ),
    asks(
        "create_proposal",
        rf"(?:create|draft|write|make|prepare|generate|send|get)\s+(?:(?!approval)\S+\s+){{0,5}}?{_DOCUMENT}",
    ),
    asks(
        "account_info",
        r"(?:what|who|how|show|tell|find|look\s+up|get|give)\b(?=.*\b(?:status|account|about|contact"
        r"|going|doing|pipeline|owns?|opportunities|proposals|deals|crm)\b)",
        effect=False,
    ),
    asks("update_crm", r"(?:update|sync|refresh)\b(?=.*\b(?:crm|account)\b)", speech=True),
    asks(
        "update_crm",
        r"(?:log|record|note|add|enter|put)\b(?=.*\b(?:crm|activity|note|call|meeting|e?mail|visit"
        r"|orders?|purchases?)\b)",
        speech=True,
    ),
)
FINANCE = (
    asks(
        "check_budget",
        r"(?:what|how\s+much|check|show|tell|is|do\s+we|are)\b(?=.*\b(?:budgets?|left|remain\w*|spent)\b)",
        effect=False,
    ),
    asks(
        "approve_expense",
        r"(?:approve|authori[sz]e|sign\s+off(?:\s+on)?)(?:\s+(?:it|this|that))?[\s.!]*$",
    ),
    asks(
        "approve_expense",
        r"(?:approve|authori[sz]e|sign\s+off)\b(?!\s+(?:(?:the|an?|our|my)\s+)?(?:\w+\s+)?budget\b)"
        r"(?=.*(?:\b(?:expenses?|purchases?|orders?|costs?|spend(?:ing)?|payments?|invoices?|tickets?)\b"
        r"|\$|[0-9]))(?!.*\b(?:leave|vacation|proposal|days?)\b)",
    ),
    asks(
        "approve_expense",
        r"(?:get|request|obtain|ask\s+for)\s+(?:[\w'-]+\s+){0,3}?approval\b"
        r"(?!.*\b(?:leave|vacation|proposal|days?)\b)",
    ),
    asks(
        "log_expense",
        r"(?:log|record|file|submit|add|book|enter)\b(?=.*\b(?:expenses?|costs?|orders?|purchases?)\b)",
    ),
    asks("log_expense", r"expense\s+(?:\$|[0-9]|the\b|it\b|this\b|that\b|all\b)"),
)
HR = (
    asks(
        "leave_balance",
        rf"(?:how\s+(?:many|much)|what(?:'s|\s+is)?|check|show|does|do|tell)\b(?=.*\b{_LEAVE}|.*\bdays\b)",
        effect=False,
    ),
    asks("onboard_employee", r"(?:onboard|start\s+(?:the\s+)?onboarding|hire)\b"),
    asks(
        "request_leave",
        rf"(?:(?:(?:i|we)\s+|(?:i|we)'d\s+)?(?:would\s+)?(?:request|book|take|need|want|like|ask\s+for"
        rf"|apply\s+for|put\s+in|file|submit|get|schedule|record|log))\b(?=.*\b{_LEAVE})",
    ),
    asks(
        "employee_info",
        r"(?:who|what|where|when|tell|show|find|look\s+up|how)\b(?=.*\b(?:manager|manages|boss|reports?"
        r"|title|job|role|department|e?-?mail|phone|number|start(?:ed)?|about|employee|is|leads|heads)\b"
        r"|'s\b)",
        effect=False,
    ),
)

"""How people ask for each capability: verbs and nouns, most particular first."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from state.capability import AgentCapability

THINGS: Final = r"(?:e-?)?(?:tickets?|tix|seats?|passes|admissions)\b"
_SHOWS = r"(?:events?|games?|match(?:es)?|concerts?|shows?|gigs?|jazz(?:\s+night)?)\b"
_LEAVE = (
    r"(?:leave|vacation|holidays?|time[\s-]+off|(?:days?|weeks?)[\s-]+off|pto|annual\s+leave)\b"
)
_DOCUMENT = r"(?:proposal|offer|quote|quotation)\b"
_DEAL = r"(?:opportunity|deal)\b"
_CRM = r"(?:crm|salesforce|hubspot|(?:customer|client|account)\s+records?)\b"
_WORD = r"(?:[\w$'&+.#/-]|,(?=[0-9]))+"
_UP_TO = rf"(?:(?!(?:and|or|but|then)\b){_WORD}\s+){{0,7}}?"
_ORDER = r"(?:orders?|tickets?|booking|purchase|reservation)\b"
_SPENDING = r"(?:expenses?|costs?|spend(?:ing)?|bills?|receipts?|invoices?|payments?)\b"
_MONEY = r"(?:(?:an?|the|this|that|our|my)\s+)?(?:us)?\$\s?[0-9]"
_BUY = (
    r"(?:book(?:\s+in)?|re-?book|buy|purchase|reserve|order|get|grab|secure|obtain"
    r"|pick\s+up|arrange(?:\s+for)?"
    r"|organi[sz]e|sort\s+out|procure|snag|need|want|have|take|fetch)"
)
_TELL = (
    r"(?:text|sms|notify|inform|alert|ping|remind|cc|message|tell(?!\s+(?:me"
    r"|us)\s+(?:what|how|who|when|which|if"
    r"|whether|where|about)\b)"
    r"|update\s+(?!the\b|our\b|my\b|crm\b|an?\b|opportunity"
    r"|deal)(?=[\w\s]+\b(?:about|on\s+(?:this|that|it)|that|by\s+(?:text|sms))\b)"
    r"|let\s+(?!me\b|us\b)[\w\s.'-]+?\s+know|give\s+(?!me\b|us\b)[\w\s.'-]+?\s+an?\s+heads[\s-]+up"
    r"|drop\s+(?!me\b|us\b)[\w\s.'-]+?\s+an?\s+(?:line|text|message|note)"
    r"|keep\s+(?!me\b|us\b)[\w\s.'-]+?\s+(?:posted|informed|in\s+the\s+loop)"
    r"|(?:send|shoot)\s+(?!me\b|us\b)[\w\s.'-]+?\s+an?\s+(?:text|sms|message"
    r"|reminder|notification|heads[\s-]+up|confirmation))\b"
)


class Frame(NamedTuple):
    """One way of asking for an action."""

    capability: AgentCapability
    action: str
    pattern: re.Pattern[str]
    """Matched at the start of a clause without courtesies."""
    effect: bool
    name: str
    """What its tasks are called."""


def _frame(
    capability: AgentCapability,
    action: str,
    pattern: str,
    *,
    effect: bool = True,
    name: str = "",
) -> Frame:
    compiled = re.compile(rf"(?:{pattern})", re.IGNORECASE)
    return Frame(capability, action, compiled, effect, name or str(capability))


_C = AgentCapability
FRAMES: Final = (
    _frame(_C.NOTIFICATION, "send_sms", rf"{_TELL}", name="notification"),
    _frame(
        _C.BUDGET_INFORMATION,
        "check_budget",
        r"(?:what|how\s+much|check|show|tell|is|are|do\s+we|does|see|find|look"
        r"|verify|confirm|give|get|have\s+a\s+look|review|report)\b"
        r"(?=.*\b(?:budgets?|(?:left|remain\w*|spen[dt])\s+(?:in|for|on|by)\s+(?:the\s+)?"
        r"(?:events?|marketing|operations|sales|travel|training|office))\b)"
        r"|(?:the\s+)?(?:\w+\s+)?budget\s+(?:check|status)\b",
        effect=False,
        name="budget",
    ),
    _frame(
        _C.LEAVE_MANAGEMENT,
        "withdraw_leave",
        rf"(?:cancel|withdraw|take\s+back|revoke)\b(?=.*\b{_LEAVE})(?!.*\b{_ORDER})",
        name="leave",
    ),
    _frame(
        _C.LEAVE_MANAGEMENT,
        "leave_balance",
        rf"(?:how\s+(?:many|much)|what(?:'s|\s+is)?|check|show|does|do|tell|see"
        rf"|find\s+out|look\s+up)\b"
        rf"(?=.*\b(?:{_LEAVE}|days\b))(?!.*\b(?:tickets?|seats?|budgets?)\b)",
        effect=False,
        name="leave",
    ),
    _frame(
        _C.LEAVE_MANAGEMENT,
        "request_leave",
        rf"(?:request|book|take|need|want|ask\s+for|apply\s+for"
        rf"|put(?:\s+[\w'-]+){{0,3}}?\s+(?:in|down)|put|file|submit|get"
        rf"|schedule|record|log|enter|arrange|give|grant|register|add|reserve|have"
        rf"|plan|note|set\s+up|block)\b"
        rf"(?=(?:(?!\band\b).)*\b{_LEAVE})(?!.*\b{THINGS})"
        rf"|[\w-]+\s+(?:working\s+)?days?\s+(?:of\s+)?{_LEAVE}",
        name="leave",
    ),
    _frame(
        _C.ONBOARDING,
        "onboard_employee",
        r"on-?board\b|hire\b|(?:start|begin|set\s+up|kick\s+off|prepare|initiate"
        r"|arrange|launch|do|organi[sz]e)\s+(?:with\s+)?(?:the\s+|an?\s+)?"
        r"on-?boarding\b|on-?boarding\s+(?:for|of)\b",
        name="onboarding",
    ),
    _frame(
        _C.OPPORTUNITY_MANAGEMENT,
        "update_opportunity",
        (
            rf"(?:update|move|mark|close|set(?!\s+up)|advance|win|lose|push|bump|change"
            rf"|raise)\b(?=(?:(?!\band\b).)*\b{_DEAL})"
        ),
        name="opportunity",
    ),
    _frame(
        _C.OPPORTUNITY_MANAGEMENT,
        "create_opportunity",
        rf"(?:create|open|add|make|start|set\s+up|register|enter|put\s+in|log"
        rf"|record)\s+(?:(?:an?|the|one|up|me|us)\s+)*"
        rf"(?:(?!\band\b|\bin\b|\bto\b|\bfor\b){_WORD}\s+){{0,4}}?{_DEAL}(?!\s+in\b)",
        name="opportunity",
    ),
    _frame(
        _C.PROPOSAL_GENERATION,
        "create_proposal",
        rf"(?:create|draft|write|make|prepare|generate|send|get|put\s+together"
        rf"|draw\s+up|need|do|produce|issue|work\s+up)\s+"
        rf"(?:(?!\band\b|approval|sign){_WORD}\s+){{0,6}}?{_DOCUMENT}(?!\s+(?:in"
        rf"|into|to|on)\s+(?:the\s+)?crm)",
        name="proposal",
    ),
    _frame(
        _C.CRM_UPDATE,
        "update_crm",
        rf"(?:update|sync|refresh|log|record|note|add|enter|put|write|capture"
        rf"|register|track|document|reflect|make|leave|store|file|mark|bring|save"
        rf"|push|post)\b"
        rf"(?=(?:(?!\band\b).)*\b{_CRM})"
        rf"|(?:get|have|keep|bring)\s+(?:the\s+"
        rf"|our\s+)?{_CRM}\s+(?:up[\s-]+to[\s-]+date|updated|synced|in\s+order"
        rf"|in\s+sync)\b"
        rf"|(?:an?\s+|the\s+)?{_CRM}\s+(?:update|entry|note|record)\b",
        name="crm_update",
    ),
    _frame(
        _C.CRM_UPDATE,
        "update_crm",
        r"(?:log|record|note|add|enter)\s+(?:an?|the|our|my|today's"
        r"|this)?\s*(?:[\w-]+\s+)?(?:call|meeting|e?-?mail|visit|activity|note)\b"
        r"|update\s+(?:the\s+|our\s+)?[\w&' -]+?\s+account\b|update\s+(?:the\s+)?account\b",
        name="crm_update",
    ),
    _frame(
        _C.EXPENSE_LOGGING,
        "cancel_expense",
        r"(?:cancel|reverse|undo|take\s+back|void)\b(?=(?:(?!\band\b).)*\b(?:expenses?)\b)",
        name="expense_log",
    ),
    _frame(
        _C.EXPENSE_APPROVAL,
        "approve_expense",
        rf"(?:approve|authori[sz]e|sign\s+off(?:\s+on)?|clear|ok"
        rf"|okay)\s+{_UP_TO}(?:{_SPENDING}|{_ORDER})"
        rf"|(?:approve|authori[sz]e|sign\s+off(?:\s+on)?)\s+(?:it|this|that|them|{_MONEY})",
        name="expense_approval",
    ),
    _frame(
        _C.EXPENSE_LOGGING,
        "log_expense",
        rf"(?:(?:just|simply)\s+)?(?:log|record|file|submit|add|book|enter|put"
        rf"|register|post|note|track|claim|process|create"
        rf"|charge)\s+{_UP_TO}{_SPENDING}"
        r"|(?:expense|charge)\s+(?:the\b|it\b|this\b|that\b|them\b|all\b|our\b|us\$|\$|[0-9])"
        rf"|(?:log|record|put|book|charge|enter|file|submit)\s+(?:it|this|that|them"
        rf"|the\s+[\w\s]+?|{_MONEY}[\w.,]*)\s+(?:(?:down\s+)?as\s+an?\s+expense"
        rf"|on\s+expenses"
        r"|through\s+expenses|to\s+(?:the\s+|our\s+)?\w+(?:\s+(?:budget"
        r"|department))?|(?:against|under)\s+(?:the\s+|our\s+)?\w+(?:\s+budget)?"
        r"|in\s+the\s+books)\b"
        rf"|log\s+{_MONEY}|(?:an?\s+|the\s+)?expense\s+(?:log|entry|report)\b",
        name="expense_log",
    ),
    _frame(
        _C.TICKET_CANCELLATION,
        "cancel_order",
        rf"(?:cancel|refund|return|call\s+off|undo|void)\s+{_UP_TO}{_ORDER}"
        rf"|(?:cancel|refund)\s+(?:it|that|them|#?[0-9]+)\b"
        rf"|get\s+(?:a|the)\s+refund\b",
        name="cancellation",
    ),
    _frame(
        _C.NOTIFICATION,
        "send_sms",
        r"(?:send|shoot)\b(?=(?:(?!\band\b).)*\b(?:sms(?:es)?|texts?|messages?"
        r"|confirmations?|notifications?|reminders?|e-?mails?)\b)"
        r"|confirm\s+(?:it|this|that|the\s+(?:booking|order|purchase))?\s*(?:with|to"
        r"|by)\b|send\s+it\s+to\b"
        r"|(?:sms|text)\s+confirmations?\b|an?\s+(?:sms|text)\s+to\b",
        name="notification",
    ),
    _frame(
        _C.EVENT_INFORMATION,
        "check_availability",
        rf"how\s+many\s+{THINGS}|(?:are|is)\b(?!\s+it\b).*\b{THINGS}|(?:are|is)\b.*\bsold\s+out\b"
        rf"|(?:do|have|does)\s+(?:you|we|they)\b.*\b{THINGS}|(?:check|see|find\s+out"
        rf"|look\s+up|verify|tell)\b(?!.*\b(?:booked|bought|ordered)\b).*\b"
        rf"(?:availability|available|left|{THINGS})"
        r"|what(?:'s|\s+is|\s+seats\s+are)\s+(?:still\s+)?(?:available|left)\s*(?:for|at|\?|$)",
        effect=False,
        name="event_info",
    ),
    _frame(
        _C.TICKET_PURCHASE,
        "purchase_tickets",
        rf"{_BUY}\s+{_UP_TO}{THINGS}",
        name="purchase",
    ),
    _frame(
        _C.TICKET_PURCHASE,
        "purchase_tickets",
        rf"(?:(?:i|we)(?:'d|'ll|\s+would)?\s+(?:like|need"
        rf"|want)\s+)?(?:-?[0-9][0-9,.]*|an?|half|some|(?:one|two|three|four|five"
        rf"|six|seven|eight|nine|ten"
        rf"|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen"
        rf"|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
        rf"|hundred))\b"
        rf"[\s-]+(?:x\s+)?{_UP_TO}{THINGS}",
        name="purchase",
    ),
    _frame(
        _C.TICKET_PURCHASE,
        "purchase_tickets",
        rf"{_BUY}\s+(?:me\s+|us\s+)?(?:[0-9]{{1,4}}|one|two|three|four|five|six"
        rf"|seven|eight|nine|ten|eleven|twelve|twenty|a\s+dozen"
        rf"|a\s+couple|another\s+\w+|\w+\s+more)\s+(?:more\s+)?(?:for|to"
        rf"|of\s+(?:those|them|these))\b(?!\s+leave)"
        rf"|{THINGS}",
        name="purchase",
    ),
    _frame(
        _C.EVENT_INFORMATION,
        "list_events",
        rf"(?:what|which)(?:'s|\s+is)?\s+(?:on|playing|happening)\b|(?:what"
        rf"|which)\b(?!\s+time).*\b(?:events|games|concerts|shows)\b"
        rf"|(?:list|show)\b.*\b{_SHOWS}|(?:are|is)\s+there\b.*\b{_SHOWS}",
        effect=False,
        name="event_info",
    ),
    _frame(
        _C.EVENT_INFORMATION,
        "event_info",
        rf"(?:how\s+much\b|what\s+time\b|(?:what|which)\b.*\b(?:price|cost|{THINGS}|{_SHOWS})"
        rf"|(?:when|where)(?:'s|\s+(?:is|are|does|do|the|tonight's"
        rf"|tomorrow's))\b.*\b(?:{_SHOWS}|doors|it\b)|(?:tell|find\s+out|check"
        rf"|look\s+up|see)\b.*\b(?:{_SHOWS}|price))",
        effect=False,
        name="event_info",
    ),
    _frame(
        _C.EMPLOYEE_INFORMATION,
        "employee_info",
        r"(?:who|what|where|when|tell|show|find(?:\s+out)?|look\s+up|how|check|get"
        r"|give)\b(?=.*\b(?:manager|manages|boss|reports?"
        r"|title|job|role|department|e?-?mail|phone|number|start(?:ed)?|employee"
        r"|leads|heads)\b)|who\s+is\s+[A-Z]\w+",
        effect=False,
        name="employee_info",
    ),
    _frame(
        _C.CRM_UPDATE,
        "account_info",
        r"(?:what|who|how|show|tell|find|look\s+up|get|give|check)\b(?=.*\b(?:status"
        r"|account|about|contact"
        r"|pipeline|owns?|opportunities|proposals|deals|crm)\b)",
        effect=False,
        name="account_info",
    ),
)


def frame_of(words: str) -> Frame | None:
    """Return what a clause asks for, by its words alone."""
    return next((frame for frame in FRAMES if frame.pattern.match(words)), None)

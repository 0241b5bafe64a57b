"""Words around a command that are no part of it: courtesies, and words that tell its order."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple


class Order(StrEnum):
    """What a clause's order words say."""

    UNSAID = "unsaid"
    FOLLOWS = "follows"
    """After what was said just before."""
    LAST = "last"
    """After all that was said before."""
    FIRST = "first"
    """Before what was said just before, or else the first of all."""
    BESIDE = "beside"
    """Independent of what was said before."""


class Marked(NamedTuple):
    """A clause without its order words and courtesies."""

    words: str
    order: Order
    trailing: bool = False
    """Whether the order word stood at the end."""


_DONE = (
    r"(?:(?:all\s+)?(?:done|complete[d]?|finished|in\s+place|through|sorted|settled"
    r"|ready|ok|successful|taken\s+care\s+of"
    r"|over|set|out\s+of\s+the\s+way)|(?:goes|went|has\s+gone)\s+through)"
)
_THAT_IS = (
    r"(?:that|this|it|everything|all(?:\s+of)?(?:\s+(?:that|this))?)(?:'s|\s+(?:is"
    r"|has\s+been|was))?"
)
_ORDERS: tuple[tuple[Order, str], ...] = (
    (
        Order.LAST,
        (
            r"finally|lastly|last\s+of\s+all|at\s+the\s+(?:very\s+)?end"
            r"|to\s+finish(?:\s+(?:up|off))?|to\s+(?:round|wrap)\s+(?:it"
            r"|things)?\s*(?:off|up)"
            r"|as\s+(?:the|a)\s+last\s+(?:step|thing)|(?:once|when|after"
            r"|as\s+soon\s+as)\s+(?:all|everything)(?:\s+(?:of\s+)?(?:that|this"
            r"|the\s+above))?\s*"
            rf"(?:'s|\s*is|\s*has\s+been)?\s*{_DONE}|last(?!\s+(?:week|month|year|night|\w+day)\b)"
        ),
    ),
    (
        Order.FOLLOWS,
        (
            rf"then|next(?!\s+(?:week|month|year|\w+day|game|event|concert|show"
            rf"|match)\b)|after\s+(?:that|this)(?!\s+(?:is|has|was)\b)|afterwards?"
            rf"|after\s+which|thereafter"
            rf"|subsequently|following\s+(?:that|this)|followed\s+by|(?:right\s+"
            rf"|straight\s+)?after(?=\s*,)|later(?:\s+on)?"
            rf"|(?:(?:only\s+)?(?:once|when|after|as\s+soon\s+as)|with)\s+{_THAT_IS}\s+{_DONE}"
            rf"|(?:only\s+)?(?:once|when)\s+{_DONE}(?=\s*,)|(?:second|third|fourth"
            rf"|fifth|sixth)(?:ly)?(?!\s+(?:row|class|half|hand|floor|of)\b)"
            rf"|secondly|thirdly|fourthly"
            rf"|step\s+[2-9]\s*:?|in\s+turn"
        ),
    ),
    (
        Order.FIRST,
        (
            r"first(?:ly|\s+of\s+all|\s+off|\s+up)?(?!\s+(?:row|class|day|name"
            r"|of\s+\w+)\b)|to\s+(?:start|begin)(?:\s+with|\s+off)?"
            r"|before\s+anything(?:\s+else)?(?!\s+(?:is|gets|happens)\b)|step\s+1\s*:?|beforehand"
        ),
    ),
    (
        Order.BESIDE,
        (
            r"also|in\s+addition(?:\s+to\s+(?:that|this))?|additionally"
            r"|besides(?:\s+that)?|furthermore|moreover|on\s+top\s+of\s+that"
            r"|meanwhile|in\s+the\s+meantime"
            r"|in\s+parallel|at\s+the\s+same\s+time|simultaneously|separately"
            r"|independently(?:\s+of\s+that)?|apart\s+from\s+that|other\s+than\s+that"
            r"|(?:and\s+)?(?:while|whilst|as)\s+you(?:'re|\s+are)\s+at\s+it"
            r"|by\s+the\s+way|btw|oh|one\s+more\s+thing|another\s+thing"
            r"|as\s+well\s+as|plus|likewise|too"
        ),
    ),
)
_LEADING = tuple((order, re.compile(rf"(?:{p})\b[\s,:]*", re.IGNORECASE)) for order, p in _ORDERS)
_TRAILING = (
    (
        Order.LAST,
        re.compile(
            (
                r"[\s,]+(?:at\s+the\s+(?:very\s+)?end|last|as\s+the\s+last\s+(?:step"
                r"|thing)|in\s+the\s+end|lastly|finally)\s*\??\s*$"
            ),
            re.IGNORECASE,
        ),
    ),
    (
        Order.FOLLOWS,
        re.compile(
            rf"[\s,]+(?:afterwards?|after\s+(?:that|this)|thereafter|next|(?:once"
            rf"|when|after|as\s+soon\s+as)\s+{_THAT_IS}\s+{_DONE}"
            rf"|(?:once|when)\s+{_DONE}|later(?:\s+on)?|subsequently)\s*\??\s*$",
            re.IGNORECASE,
        ),
    ),
    (
        Order.FIRST,
        re.compile(
            (
                r"[\s,]+(?:first|beforehand|before\s+anything(?:\s+else)?|up\s+front"
                r"|upfront|in\s+advance)\s*\??\s*$"
            ),
            re.IGNORECASE,
        ),
    ),
    (
        Order.BESIDE,
        re.compile(
            (
                r"[\s,]+(?:also|too|as\s+well|in\s+parallel|at\s+the\s+same\s+time"
                r"|meanwhile|simultaneously)\s*\??\s*$"
            ),
            re.IGNORECASE,
        ),
    ),
)
_COURTESY = re.compile(
    r"""(?:hi|hello|hey|dear|ok|okay|yes|so|now|and|but|well|thanks|thank\s+you|cheers|great|perfect|good\s+(?:morning|afternoon|evening|day)
     |team|all|everyone|folks|guys|there|please|pls|plz|kindly|just|simply|quickly|urgently|asap|of\s+course|right(?:\s+away)?|immediately
     |(?:can|could|would|will)\s+you(?:\s+(?:be\s+so\s+(?:kind|good)\s+as\s+to|be\s+able\s+to|mind|help\s+(?:me|us)(?:\s+to)?))?
     |(?:i|we)(?:'d|\s+would)\s+(?:like|love|appreciate\s+it\s+if)(?:\s+(?:it\s+if\s+)?you(?:\s+(?:could|to))?)?(?:\s+to)?(?=\s+(?!(?:to\s+)?(?:a|an|some|[0-9]|tickets)))
     |(?:i|we)(?:'d|\s+would)\s+(?:like|love)\s+(?:you\s+)?to|i'd\s+be\s+grateful\s+if\s+you(?:\s+could)?
     |(?:i|we)(?:\s+also|\s+really)?\s+(?:want|need)(?:\s+you)?\s+to|(?:i|we)(?:\s+also)?\s+(?:have|has)\s+to
     |it(?:'d|\s+would)\s+be\s+(?:\w+\s+)?(?:great|awesome|good|nice|lovely|fantastic|perfect|helpful|wonderful)\s+if\s+you\s+(?:could|would)|you\s+(?:should|must|need\s+to|have\s+to|can|could|may)(?:\s+also)?|let's|let\s+us|go\s+ahead\s+and|go\s+and|(?:please\s+)?help\s+(?:me|us)(?:\s+to)?
     |(?:can|could|may)\s+(?:i|we)(?=\s+(?:please\s+)?(?:get|have)\b)|make\s+sure\s+(?:that\s+)?(?:you|to|we)|be\s+sure\s+to|ensure\s+(?:that\s+)?(?:you|we)
     |(?:please\s+)?(?:do\s+not|don't)\s+forget\s+to|remember\s+to|try\s+to|feel\s+free\s+to|proceed\s+to|start\s+by|begin\s+by|see\s+to\s+it\s+that\s+you
     |let\s+(?:me|us)\s+know(?=\s+(?:how|what|who|which|where|when\s+(?:is|are|does|do))\b)
     |fyi|quick\s+(?:one|request|ask)|a\s+(?:few|couple\s+of)\s+things|if\s+(?:possible|you\s+(?:can|could|would|please|don't\s+mind))|when\s+you\s+(?:can|get\s+a\s+(?:chance|moment|minute)|have\s+(?:a\s+)?(?:time|moment|minute))|at\s+once|to\s+do|todo)\b[\s,!.:-]*""",
    re.IGNORECASE | re.VERBOSE,
)
_POLITE_END = re.compile(
    r"""[\s,]*\b(?:please|pls|plz|thanks(?:\s+(?:a\s+lot|so\s+much|in\s+advance))?|thank\s+you(?:\s+(?:so|very)\s+much)?|cheers|asap|as\s+soon\s+as\s+possible|right\s+away
     |immediately|now|if\s+(?:possible|you\s+(?:can|could|please|don't\s+mind|would))|if\s+that's\s+(?:ok|okay|possible)|at\s+once|when\s+you\s+(?:can|get\s+a\s+(?:chance|moment|minute)|have\s+(?:a\s+)?(?:time|moment|minute))
     |for\s+me|for\s+us|ok\?|okay\?|would\s+you|will\s+you|accordingly|straight\s*away|quickly|urgently)[\s.!?,]*$""",
    re.IGNORECASE | re.VERBOSE,
)


def unmarked(words: str) -> Marked:
    """Take order words and courtesies off both ends of a clause."""
    order, rest = Order.UNSAID, words.strip(" ,;.!\n")
    while True:
        found, shorter = _leading(rest)
        if shorter == rest:
            break
        order = (
            found if order in {Order.UNSAID, Order.BESIDE} and found is not Order.UNSAID else order
        )
        rest = shorter
    return _without_end(rest, order)


def _leading(words: str) -> tuple[Order, str]:
    for order, pattern in _LEADING:
        if match := pattern.match(words):
            return order, words[match.end() :]
    match = _COURTESY.match(words)
    return Order.UNSAID, words[match.end() :] if match else words


def _without_end(words: str, order: Order) -> Marked:
    rest, trailing = words, False
    while True:
        shorter = _POLITE_END.sub("", rest).rstrip(" ,;.!")
        for found, pattern in _TRAILING:
            if shorter and (match := pattern.search(shorter)) and match.start():
                shorter = shorter[: match.start()]
                if order in {Order.UNSAID, Order.BESIDE}:
                    order, trailing = found, True
        if shorter == rest:
            return Marked(rest, order, trailing)
        rest = shorter

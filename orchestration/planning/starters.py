"""Where a clause can begin inside a sentence."""

from __future__ import annotations

import re
from typing import Final

from orchestration.planning.approvals import APPROVAL_NOUN
from orchestration.planning.ellipses import leaves_out_verb
from orchestration.planning.order_words import Order, unmarked

_VERBS = (
    "book rebook buy purchase reserve order get grab secure obtain arrange pick "
    "procure update sync refresh log record note "
    "add enter put write capture register track document approve authori[sz]e sign "
    "ask request seek notify text sms message "
    "tell inform let send remind ping email e-mail mail call phone cancel refund "
    "return onboard hire start begin create draft prepare make "
    "generate open move mark close set win lose check find look show list give take "
    "file submit expense charge "
    "schedule apply withdraw have ensure see verify drop shoot keep cc confirm alert "
    "organi[sz]e sort run clear block plan pay "
    "delete remove transfer upgrade change exchange print forward invite reject deny "
    "decline wait hold need void undo reverse wire deploy execute drive review fix "
    "build "
    "kick process post claim push raise bump advance produce issue consult"
).replace(" ", "|")
_TIME = (
    r"(?:[0-9]|noon|midnight|lunch|dinner|breakfast|work|hours|tomorrow|today"
    r"|tonight|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    r"|january|february|march|april|may\b|june|july|august|september|october"
    r"|november|december|christmas|easter|new\s+year|eod|cob|next\b|the\s+(?:end"
    r"|weekend|week|holidays|game|show|event|concert|match|meeting|[0-9])"
    r"|this\s+(?:week|month)|all\b(?!\s+(?:of|that|this|is|the)))"
)
CONDITION: Final = re.compile(
    r"(?:(?:but|and)\s+)?(?:only\s+|even\s+)?(?P<word>if(?!\s+(?:possible"
    r"|you\s+(?:can|could|please|would|don't\s+mind))\b)|unless|in\s+case"
    r"|in\s+the\s+event(?:\s+that)?|provided(?:\s+that)?|providing(?:\s+that)?"
    r"|assuming(?:\s+that)?"
    r"|as\s+long\s+as|so\s+long\s+as|on\s+(?:the\s+)?condition\s+that"
    r"|should(?=\s+(?:it|the|that|they|this)\b)"
    r"|(?:when(?:ever)?|where)(?=\s+(?:it|the\s+(?:total|price|cost|amount|bill)"
    r"|that|they|this)\s+(?:costs?|exceeds?|is\s+(?:over|above|more|under|below"
    r"|less|greater|higher|lower|at\s+(?:least|most))|goes\s+over|comes\s+to|total\s+))|depending\s+on|conditional\s+on)\b\s*",
    re.IGNORECASE,
)
BARE_CONDITION: Final = re.compile(
    r"(?:for\s+|with\s+)?(?:(?:anything|any\s+\w+|amounts?|everything|costs?|orders?"
    r"|purchases?|totals?|prices?|spend|expenses?|a\s+total|a\s+price|a\s+cost|it's"
    r"|its|it\s+is|that's)\s+)?(?:(?:that\s+)?(?:is|are|costs?|comes?\s+to)\s+)?"
    r"(?=(?:over|above|more\s+than|exceeding|beyond|below|under|less\s+than"
    r"|at\s+least|from|upwards\s+of|in\s+excess\s+of)\s+(?:us)?\$?\s?[0-9])",
    re.IGNORECASE,
)
TIE: Final = re.compile(
    rf"(?:(?:but|and)\s+)?(?:only\s+|right\s+|straight\s+|immediately\s+|directly\s+"
    rf"|not\s+)?(?P<word>once(?=\s+(?:[\w']+\s+){{0,8}}?(?:is|are|has|have|done"
    rf"|gets?|got|goes|\w+ed|\w+s|\w+'s|in|bought|through|complete|you|we|i|you've"
    rf"|we've)\b)|as\s+soon\s+as(?!\s+possible)|the\s+moment|immediately\s+after"
    rf"|when(?:ever)?(?!\s+(?:is|are|does|do|did|was|you\s+(?:can|get|have\s+(?:time"
    rf"|a)))\b|'s)"
    rf"|after(?!\s+(?:{_TIME}))|before(?!\s+(?:{_TIME}))|until(?!\s+(?:{_TIME}))"
    rf"|till(?!\s+(?:{_TIME}))|prior\s+to(?!\s+(?:{_TIME}))"
    rf"|ahead\s+of(?=\s+\w+ing\b)|following(?=\s+(?:{APPROVAL_NOUN}"
    rf"|the\s+(?:purchase|booking)|\w+'s\s+(?:approval|ok)|\w+ing\b"
    rf"|(?:\w+\s+){{0,4}}{APPROVAL_NOUN}))|by\s+the\s+time"
    rf"|upon(?=\s+(?:confirmation|completion))|(?:subject\s+to|pending|upon"
    rf"|with)(?=\s+(?:(?!and\b|for\b"
    rf"|or\b)[\w'.-]+\s+){{0,5}}?{APPROVAL_NOUN})|without(?=\s+(?:(?!and\b"
    rf"|or\b)[\w'.-]+\s+){{0,4}}?(?:{APPROVAL_NOUN}|\w+ing\b)))\b\s*",
    re.IGNORECASE,
)
OTHERWISE: Final = re.compile(
    (
        r"(?:but\s+|and\s+)?(?P<word>otherwise|or\s+else|else|if\s+not|if\s+it(?:'s"
        r"|\s+is)\s+not|if\s+it\s+(?:isn't|doesn't)|failing\s+that)\b[\s,:]*"
    ),
    re.IGNORECASE,
)
SAME: Final = re.compile(
    (
        r"(?:and\s+)?(?P<word>(?:in|for)\s+(?:that|which)\s+case|if\s+so|if\s+(?:it\s+is"
        r"|yes|it\s+does|that's\s+the\s+case)(?=\s*,))\b[\s,:]*"
    ),
    re.IGNORECASE,
)
_NUMBER = (
    r"(?:[0-9]{1,4}|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen"
    r"|twenty|thirty|forty|fifty|sixty)"
)
_STARTER = re.compile(
    rf"(?:(?:{_VERBS})\b(?!\s*(?:of\b|'s|number\b))"
    rf"|(?:what|what's|how|which|who|who's|where|where's|when's|when\s+(?:is|are"
    rf"|does|do)|is\s+(?:there|it|the)|are\s+(?:there|we|the)|do\s+we|does"
    rf"|can\s+(?:you|i|we))\b"
    r"|(?:don't|do\s+not|never|no\s+need\s+to|skip|leave\s+out"
    r"|not\s+(?:to\s+)?(?:book|buy|update|log|send|text|notify))\b"
    r"|(?:i|we)(?:'d|'ll|\s+(?:also|would|will))?\s+(?:also\s+)?(?:need|want|like)\b"
    r"|(?:maybe|perhaps|possibly)\b|ignore\b|stop\b|forget\b|disregard\b|avoid\b"
    r"|should\s+(?:we|i)\b|shall\s+(?:we|i)\b"
    rf"|{_NUMBER}\s+(?:more\s+)?(?:(?!dollars|usd|percent|k\b|am\b|pm\b|o'clock"
    rf"|days?\b|people|persons|of\s+us)[\w'-]+\s+){{0,3}}?(?:tickets?|seats?"
    rf"|passes)\b|{_NUMBER}\s+(?:more\s+)?(?:for|to|of\s+those)\s+(?!of\b)"
    rf"|another\s+{_NUMBER}\b|an?\s+couple(?:\s+more)?\s+(?:tickets?\s+)?(?:for"
    rf"|to)\b|a\s+dozen\s+(?:more\s+)?(?:for|to|tickets?)\b"
    r"|(?:an?\s+|the\s+)?(?:crm|expense)\s+(?:update|entry|log|report|note)\b|(?:sms"
    r"|text)\s+confirmations?\b|(?:the\s+)?(?:\w+\s+)?budget\s+(?:check|status)\b"
    r"|(?:the\s+|our\s+)?(?:crm|expenses?|costs?|order|tickets)\s+(?:(?:should|must"
    r"|has|have|needs?|is|gets?)\s+(?:also\s+)?(?:to\s+)?(?:be\s+)?)?(?:updated"
    r"|logged|booked|recorded|filed|expensed|bought|approved)\b"
    r"|(?:(?:the|my|our)\s+)?[\w-]+\s+(?:needs?\s+to|should|must"
    r"|has\s+to)\s+(?:also\s+)?(?:know|be\s+(?:told|informed|notified|texted"
    r"|updated))\b"
    rf"|(?:must|has\s+to|have\s+to|needs?\s+to|should)\s+be\s+(?:approved"
    rf"|signed\s+off|authori[sz]ed)|(?:needs?"
    rf"|requires?)\s+(?:\w+\s+){{0,4}}?{APPROVAL_NOUN}"
    r"|(?:booking|buying|purchasing|reserving|updating|logging|getting|sending"
    r"|texting|notifying|informing|letting|telling|requesting|drafting|creating"
    r"|preparing|checking|cancell?ing|onboarding|approving|filing"
    r"|recording)\s+(?!is\b|was\b|has\b|goes\b|number\b|confirmation)"
    r"|(?-i:[A-Z])\w+(?:\s+(?-i:[A-Z])\w+)?\s+(?:informed|notified|texted|told|messaged)\b"
    r"|(?:same|the\s+same)\s+for\b|ditto\b"
    rf"|(?:(?:my|our|the|his|her)\s+(?:[\w-]+\s+){{0,3}}?[\w-]+|it|this|that|they"
    rf"|which|everything|(?-i:[A-Z])[\w-]+(?:\s+(?-i:[A-Z])[\w-]+)?|finance"
    rf"|management)\s+(?:must|has\s+to|have\s+to|needs?\s+to|should|needs?|requires?"
    rf"|will\s+have\s+to|will\s+need)\s+(?:\w+\s+){{0,5}}?(?:approve|approved|sign"
    rf"|signed|ok|authori[sz]ed?|{APPROVAL_NOUN})"
    rf"|(?:(?:an?|the|my|our|manager|manager's|finance)\s+)?(?:(?:[\w]+'s|manager"
    rf"|budget|finance|management)\s+)?{APPROVAL_NOUN}\s*(?:$|[,.;]|from\b|by\b"
    rf"|is\s+(?:needed|required)|needed|required|please|and\b)"
    r")",
    re.IGNORECASE,
)


def starts_command(words: str) -> bool:
    """Tell whether a command, a question or a wish begins at the start of the words."""
    return bool(_STARTER.match(words))


def starts_verb(words: str) -> bool:
    """Tell whether the words begin with the verb of a command."""
    return bool(re.match(rf"(?:{_VERBS})\b", words, re.IGNORECASE)) and starts_command(words)


def starts_clause(words: str) -> bool:
    """Tell whether a clause begins at the start of the words, after courtesies and order words."""
    head = words[:240]
    if any(pattern.match(head) for pattern in (CONDITION, TIE, OTHERWISE, SAME)):
        return True
    marked = unmarked(head)
    if marked.order is not Order.UNSAID and not marked.trailing and marked.words[:12] != head[:12]:
        return True
    rest = marked.words
    if leaves_out_verb(rest):
        return True
    return starts_command(rest) or any(
        pattern.match(rest) for pattern in (CONDITION, BARE_CONDITION, TIE, OTHERWISE, SAME)
    )

"""What says nothing about what is to be done: greetings, thanks, reasons."""

from __future__ import annotations

import re

_FILLER = re.compile(
    r"""(?:hi|hello|hey|dear|morning|afternoon|evening|good\s+(?:morning|afternoon|evening|day))(?:\s+(?:[\w.-]+|team|all|everyone|there)){0,3}
     |(?:many\s+)?thanks?(?:\s+(?:you|a\s+lot|a\s+million|so\s+much|very\s+much|in\s+advance|for\s+(?:your\s+)?(?:help|everything|support|all\s+your\s+help|doing\s+this|taking\s+care\s+of\s+(?:this|it))|again|everyone|all|team|[A-Z]\w+))*
     |cheers(?:\s+\w+)?|(?:best|kind|warm)?\s*(?:regards|wishes)(?:\s+[A-Z]\w+)*|best|sincerely|yours(?:\s+\w+)?|xo+|br|rgds
     |(?:and\s+)?that(?:'s|\s+is|\s+will\s+be|'ll\s+be|\s+would\s+be|'d\s+be)\s+(?:all|it|everything)(?:\s+(?:for\s+(?:now|today)|i\s+need|thanks?))*
     |(?:(?:i\s+)?(?:hope|trust)\s+(?:you(?:'re|\s+are)|all\s+is|this\s+(?:finds|is)).*|how\s+are\s+you(?:\s+(?:doing|today))*)
     |(?:there\s+is\s+|there's\s+)?no\s+(?:rush|hurry|worries|problem)|(?:it(?:'s|\s+is)\s+|this\s+is\s+|quite\s+|rather\s+)?(?:(?:very|quite|a\s+bit|rather)\s+)?(?:urgent|important)|asap|as\s+soon\s+as\s+possible
     |sorry(?:\s+(?:for|about)\s+(?:the\s+)?(?:short\s+notice|bother|trouble|late\s+request|rush))?|as\s+(?:discussed|agreed|usual|promised|mentioned|always|per\s+usual)(?:\s+(?:yesterday|earlier|before|on\s+the\s+phone|this\s+morning))?
     |(?:please\s+)?(?:let\s+me\s+know|tell\s+me|keep\s+me\s+(?:posted|updated|informed)|report\s+back|get\s+back\s+to\s+me|shout|ping\s+me|give\s+me\s+a\s+shout)(?:\s+(?:know|when|once|if|how|as\s+soon\s+as|that|with|about|on|to\s+me)\b(?:(?!\b(?:price|cost|left|seats|budget|games?|concert|show|events?|match|jazz|starts?|manager|days|vacation|account|status|pipeline|who|where)\b).)*)?
     |(?:i|we)(?:\s+would|'d)?\s+(?:really\s+)?appreciate\s+(?:it|that|your\s+help|the\s+help)|much\s+appreciated|appreciated|you(?:'re|\s+are)\s+(?:the\s+best|a\s+(?:star|life\s*saver|legend))
     |(?:here(?:'s|\s+is|\s+are)\s+(?:what|the|my|a)\b.*|(?:(?:i|we)\s+(?:need|want)|there\s+are|i\s+have|we\s+have|got|just|with)?\s*(?:a\s+few|a\s+couple\s+of|some|several|two|three|four|five|six|the\s+following|these|my)?\s*(?:other\s+|more\s+|quick\s+)?(?:things|tasks|requests|items|to-?dos?|steps|favou?rs)(?:\s+(?:for\s+(?:you|today|tomorrow|this\s+week|now)|today|please|to\s+do|done))*)
     |(?:please\s+)?(?:do|handle|take\s+care\s+of|complete|sort\s+out|work\s+through|run)\s+(?:the\s+following|this|these|all\s+(?:of\s+)?(?:this|these|that))(?:\s+(?:things|tasks|steps|items|for\s+(?:me|us)|today|please|now|next))*
     |(?:to-?do|tasks?|request|agenda|action\s+items?|fyi|ps|p\.s|note|please|ok|okay|right|great|perfect|cool|alright|all\s+right|yes|well|so|also|and|then|next|first|second|third|finally|lastly)(?:\s+(?:list|for\s+today|today|this\s+week))*
     |(?:if\s+(?:possible|you\s+(?:can|could|would|please|don't\s+mind)|that(?:'s|\s+is)\s+(?:ok|okay|alright|possible|fine)|there\s+are\s+any\s+(?:problems|questions|issues).*|you\s+have\s+any\s+(?:problems|questions|issues|trouble).*|anything\s+is\s+unclear.*|you\s+need\s+anything.*))
     |sent\s+from\s+my\s+\w+(?:\s+\w+)?
     |(?:any\s+questions.*|shout\s+if.*|call\s+me\s+if.*)
     |(?:in\s+(?:this|that|the\s+following)\s+order|step\s+by\s+step|one\s+(?:by\s+one|after\s+(?:the\s+other|another)))
     |(?:the|your|our|my)\s+(?:purchase|order|booking|tickets|approval|expense|leave|message|notification|tasks?|steps|list|details|request|plan)
     |(?:when|whenever)\s+(?:you\s+(?:can|get\s+a\s+(?:chance|moment|minute)|have\s+(?:a\s+)?(?:time|moment|minute|second)))|at\s+your\s+(?:earliest\s+)?convenience
     |(?:would|could|can|will)\s+you(?:\s+please)?|that\s+would\s+be\s+(?:great|lovely|awesome|perfect|helpful|fantastic)|it'?s\s+(?:that|this)\s+time\s+(?:of\s+the\s+(?:month|year)|again)""",
    re.IGNORECASE | re.VERBOSE,
)
_REASON = re.compile(
    r"[\s,]*\b(?:because|since(?!\s+[0-9])|so\s+that|so\s+(?:we|they|he|she|everyone"
    r"|everybody|the\s+\w+)\s+(?:can|could|know|have|has|are|is|knows?)"
    r"|in\s+order\s+(?:to|that)|as\s+(?:we|i|they|he|she|it|our"
    r"|the\s+client)\s+(?:have|has|had|is|are|want|wants|need|needs|will|would|asked"
    r"|got)|given\s+that|due\s+to"
    r"|the\s+reason\s+being)\b(?P<why>[^,;]*)",
    re.IGNORECASE,
)
_IN_ORDER = re.compile(
    r"\b(?:in\s+(?:this|that|the\s+following|exactly\s+this)\s+(?:exact\s+)?(?:order"
    r"|sequence)|step\s+by\s+step|in\s+(?:order|sequence)(?=\s*[:.]|\s*$)"
    r"|one\s+(?:by\s+one|after\s+(?:the\s+other|another)))",
    re.IGNORECASE,
)


def is_filler(words: str) -> bool:
    """Tell whether words ask for nothing."""
    plain = words.strip(" ,;.!?:-()\n")
    return not re.search(r"\w", plain) or bool(_FILLER.fullmatch(plain))


def without_reason(words: str) -> str:
    """Take out why something is to be done."""
    return _REASON.sub("", words)


def asks_for_order(text: str) -> bool:
    """Tell whether a request says that its parts are to be done one after the other."""
    return bool(_IN_ORDER.search(text))


def without_in_order(text: str) -> str:
    """Take out the words that say so."""
    return _IN_ORDER.sub("", text)

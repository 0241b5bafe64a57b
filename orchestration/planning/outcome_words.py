"""Conditions about how something went: whether it worked, and whether it was approved."""

from __future__ import annotations

import re

from orchestration.planning.condition import About

_THING = (
    r"(?:(?:the|this|that|these|our|my|your|his|her|all)\s+)?(?:(?:ticket"
    r"|tickets)\s+)?(?:purchase|booking|order|tickets|ticket|seats|reservation|it"
    r"|that|this|everything|all|they|cancellation"
    r"|(?:crm(?:\s+(?:update|entry))?)|expense|leave(?:\s+request)?|onboarding"
    r"|proposal|opportunity|deal|payment|transaction|request|previous\s+step"
    r"|first\s+(?:step|part|one)|above|step|spend|cost|amount|offer|quote)"
)


_BE = (
    r"(?:\s*'s|\s*'re|\s+(?:is|are|was|were|has\s+been|have\s+been|gets?|got|goes|went"
    r"|comes?|came|had\s+been|will\s+be))?"
)


_WHO = (
    r"(?:(?:my|our|the|your|his|her)\s+)?(?:manager|boss|supervisor|director|finance"
    r"|(?:(?:finance|line|sales|hr|events|operations|general|account|department)\s+)?(?:manager"
    r"|director|team|department)|management|head\s+of\s+\w+|cfo|ceo|he|she|they|approver|team\s+lead|lead"
    r"|[A-Z][\w-]+(?:\s+[A-Z][\w-]+)?)"
)


_SUCCESS = re.compile(
    rf"{_THING}{_BE}\s*(?:actually\s+|all\s+|now\s+|been\s+|successfully\s+"
    rf"|only\s+)?(?:succeed(?:s|ed)?|work(?:s|ed)(?:\s+out)?|through|ok(?:ay)?|fine"
    rf"|successful(?:ly)?(?:\s+\w+ed)?|confirmed|booked|bought|purchased|ordered"
    r"|reserved|secured|complete[d]?|done|in\s+place|in\s+the\s+bag|possible|updated"
    r"|logged|made|sent|sorted|placed|finished|recorded|created|drafted|requested"
    r"|ready|paid|settled|written|submitted|filed|successful)"
    r"|successful|so|(?:we|you|i)(?:'ve|\s+have)?\s+(?:get|got|have|booked|bought"
    r"|secured)\s+(?:the\s+|them|it)(?:tickets|seats)?|possible",
    re.IGNORECASE,
)


_FAILURE = re.compile(
    rf"{_THING}{_BE}\s*(?:fail(?:s|ed)?|(?:does|do|did|is|are|was|has|have)(?:n't"
    rf"|\s+not)\s+(?:\w+\s*){{1,3}}|cannot\s+\w+\s*\w*|can't\s+\w+\s*\w*"
    rf"|unsuccessful|impossible|sold\s+out|not\s+(?:\w+\s*){{1,2}})"
    r"|there\s+(?:are|is|aren't|isn't)\s+(?:no|not\s+enough"
    r"|any)\s+(?:more\s+)?(?:seats?|tickets?)(?:\s+left|\s+available)?",
    re.IGNORECASE,
)


_SAYS_YES = (
    r"(?:approv(?:es|ed)(?:\s+(?:it|this|that|the\s+\w+))?|(?:signs?"
    r"|signed)(?:\s+\w+)?\s+off(?:\s+on\s+\w+)?(?:\s+\w+)?|agrees?"
    r"|authori[sz]e[sd]?(?:\s+(?:it|this|that))?|ok(?:'s|'d|ays?|ayed)?(?:\s+(?:it|this"
    r"|with\s+\w+))?|says?\s+(?:yes|ok|it's\s+ok)|cleared|cool\s+with\s+it"
    r"|happy\s+with\s+it|given\s+the\s+go-?ahead|gives?\s+(?:the|a|his|her"
    r"|their)\s+(?:go[\s-]?ahead|ok(?:ay)?|green\s+light|approval|sign-?off|permission))"
)


_YES = re.compile(
    rf"(?:(?:{_THING}|(?-i:{_WHO}))(?:{_BE}|\s+(?:has|have))\s+)?{_SAYS_YES}(?:\s+by\s+.{{1,40}})?"
    r"|(?:(?:you|we|i)(?:'ve|\s+have)?\s+(?:get|got|have|received)\s+)?(?:the\s+"
    r"|an?\s+|my\s+)?(?:[\w']+\s+){0,3}(?:approval|sign-?off|permission"
    r"|authori[sz]ation|go-?ahead)(?:\s+(?:is|has\s+been)\s+(?:given|granted|there"
    r"|in|received|obtained|in\s+place)|\s+comes\s+(?:in|through)|\s+(?:from|by|of)\s+.{1,40})?",
    re.IGNORECASE,
)


_NO = re.compile(
    (
        rf"(?:(?:{_THING}|{_WHO}|approval|permission)(?:{_BE})\s*)?(?:rejected|denied"
        rf"|declined|refused|turned\s+down|not\s+(?:approved|given|granted|signed\s+off)"
        rf"|says?\s+no|refuses?|rejects?(?:\s+it)?|declines|(?:does|do|is|has|was)(?:n't"
        rf"|\s+not)\s+(?:been\s+)?(?:approved?|agree|given|granted"
        rf"|signed?\s+off)(?:\s+it)?)(?:\s+by\s+.{{1,40}})?"
    ),
    re.IGNORECASE,
)


def outcome_in(words: str) -> About | None:
    """Return the outcome that words speak of, from their first to their last; None if none."""
    patterns = (
        (About.REJECTED, _NO),
        (About.APPROVED, _YES),
        (About.SUCCESS, _SUCCESS),
        (About.FAILURE, _FAILURE),
    )
    return next((about for about, pattern in patterns if pattern.fullmatch(words)), None)

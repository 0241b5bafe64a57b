"""Conditions as people write them, and the CEL that they become."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from orchestration.agents.team.amounts import amount_in
from orchestration.agents.team.quantities import number_in_words
from orchestration.agents.team.vocabulary import word_set
from state.errors import AgentRefusedError


class About(StrEnum):
    """What a condition is about."""

    PRICE = "price"
    UNIT_PRICE = "unit_price"
    SEATS = "seats"
    BUDGET = "budget"
    DAYS = "days"
    SUCCESS = "success"
    FAILURE = "failure"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An operator and what a value is compared with."""

    operator: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that was understood, not yet tied to a task."""

    about: About
    comparisons: tuple[Comparison, ...] = ()
    words: str = ""
    negated: bool = False
    """Whether it has to be false; comparisons are then alternatives."""

    def opposite(self) -> Condition:
        """The condition for `otherwise`."""
        return replace(self, negated=not self.negated)


_MORE = (
    r"(?:(?:any(?:thing)?\s+)?(?:more|greater|higher|larger|bigger)\s+than|over|above|beyond|in\s+excess\s+of|exceed(?:s|ing)?|upwards\s+of|north\s+of"
    r"|surpass(?:es)?|tops?|past|more\s+expensive\s+than|>(?!=))"
)
_LESS = r"(?:(?:less|fewer|lower|smaller)\s+than|under(?!\s+budget)|below|cheaper\s+than|<(?!=)|beneath|short\s+of|south\s+of)"
_AT_LEAST = r"(?:at\s+least|no\s+less\s+than|not\s+less\s+than|a\s+minimum\s+of|minimum|>=|reach(?:es)?|hits?|from)"
_AT_MOST = r"(?:at\s+(?:the\s+)?most|no\s+more\s+than|not\s+more\s+than|up\s+to|a\s+maximum\s+of|max(?:imum)?|within|<=|not\s+over|not\s+above|doesn't\s+exceed|does\s+not\s+exceed)"
_NUMBER = (
    r"(?P<amount>(?:us)?\$?\s?[0-9][0-9,]*(?:\.[0-9]+)?\s?(?:k|thousand|grand|m|million|hundred)?\b"
    r"|(?:an?\s+|one\s+|two\s+|three\s+|four\s+|five\s+|six\s+|seven\s+|eight\s+|nine\s+|ten\s+|fifteen\s+|twenty\s+|thirty\s+|forty\s+|fifty\s+|twenty-five\s+)?(?:hundred|thousand|grand|dozen)"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty))"
    r"(?P<unit>\s?(?:dollars?|usd|bucks|\$))?"
)
_COMPARISON = re.compile(
    rf"(?:(?P<at_least>{_AT_LEAST})|(?P<at_most>{_AT_MOST})|(?P<more>{_MORE})|(?P<less>{_LESS}))\s*{_NUMBER}",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    rf"\bbetween\s+{_NUMBER}\s+and\s+{_NUMBER.replace('amount', 'to').replace('unit', 'to_unit')}",
    re.IGNORECASE,
)
_OR_MORE = re.compile(
    rf"{_NUMBER}\s+or\s+(?P<way>more|above|higher|over|less|below|fewer|under)\b", re.IGNORECASE
)
_EACH = re.compile(
    r"\b(?:each|per\s+(?:ticket|seat|person|head|piece)|apiece|a\s+(?:ticket|piece|head|seat)|the\s+ticket\s+price)\b",
    re.IGNORECASE,
)
_PRICE_WORDS = word_set(
    "it its it's that that's this they they're the these those total totals cost costs price prices bill amount amounts order orders purchase "
    "tickets ticket booking whole thing sum value expense spend spending is are was were be being comes come came out to at of for "
    "ends end up turns works work adds add get gets goes go going would will in all altogether overall all-in anything everything and but if when "
    "dollars usd bucks each per person seat head piece apiece a an any should comes' we i pay spend have has exceed final price's combined "
    "together seats passes invoice charge does do costing"
)
_SEATS = re.compile(
    r"\b(?:seats?|tickets?|places?|spots?|availability|space|room|passes|sold\s+out|available)\b",
    re.IGNORECASE,
)
_SEAT_WORDS = word_set(
    "there there's are is still enough seats seat tickets ticket places place spots spot left available availability free remaining remain for "
    "it the that any some we of us space room game concert show event jazz night match tonight tomorrow isn't not sold out yet they they're "
    "it's has have least at more than all you can get passes in on to do exist be a them him her everyone"
)
_BUDGET = re.compile(
    r"\bbudget\b|\b(?:left|remain\w*)\b.*\b(?:travel|marketing|events|operations|sales|training|office)\b",
    re.I,
)
_BUDGET_WORDS = word_set(
    "the our there there's is are has have still enough budget left in remaining remains for it of events marketing operations sales travel "
    "training office more than at least dollars usd money that this department team we a with month month's any"
)
_DAYS = re.compile(r"\bdays?\b", re.IGNORECASE)
_THING = (
    r"(?:(?:the|this|that|these|our|my|your|his|her|all)\s+)?(?:(?:ticket|tickets)\s+)?(?:purchase|booking|order|tickets|ticket|seats|reservation|it|that|this|everything|all|they|cancellation"
    r"|(?:crm(?:\s+(?:update|entry))?)|expense|leave(?:\s+request)?|onboarding|proposal|opportunity|deal|payment|transaction|request|previous\s+step|first\s+(?:step|part|one)|above|step|spend|cost|amount|offer|quote)"
)
_BE = r"(?:\s*'s|\s*'re|\s+(?:is|are|was|were|has\s+been|have\s+been|gets?|got|goes|went|comes?|came|had\s+been|will\s+be))?"
_WHO = r"(?:(?:my|our|the|your|his|her)\s+)?(?:manager|boss|supervisor|director|finance|management|head\s+of\s+\w+|cfo|ceo|he|she|they|approver|team\s+lead|lead|[A-Z][\w-]+(?:\s+[A-Z][\w-]+)?)"
_SUCCESS = re.compile(
    rf"{_THING}{_BE}\s*(?:actually\s+|all\s+|now\s+|been\s+|successfully\s+|only\s+)?(?:succeed(?:s|ed)?|work(?:s|ed)(?:\s+out)?|through|ok(?:ay)?|fine|successful(?:ly)?(?:\s+\w+ed)?|confirmed|booked|bought|purchased|ordered"
    r"|reserved|secured|complete[d]?|done|in\s+place|in\s+the\s+bag|possible|updated|logged|made|sent|sorted|placed|finished|recorded|created|drafted|requested|ready|paid|settled|written|submitted|filed|successful)"
    r"|successful|so|(?:we|you|i)(?:'ve|\s+have)?\s+(?:get|got|have|booked|bought|secured)\s+(?:the\s+|them|it)(?:tickets|seats)?|possible",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    rf"{_THING}{_BE}\s*(?:fail(?:s|ed)?|(?:does|do|did|is|are|was|has|have)(?:n't|\s+not)\s+(?:\w+\s*){{1,3}}|cannot\s+\w+\s*\w*|can't\s+\w+\s*\w*|unsuccessful|impossible|sold\s+out|not\s+(?:\w+\s*){{1,2}})"
    r"|there\s+(?:are|is|aren't|isn't)\s+(?:no|not\s+enough|any)\s+(?:more\s+)?(?:seats?|tickets?)(?:\s+left|\s+available)?",
    re.IGNORECASE,
)
_SAYS_YES = r"(?:approv(?:es|ed)(?:\s+(?:it|this|that|the\s+\w+))?|(?:signs?|signed)(?:\s+\w+)?\s+off(?:\s+on\s+\w+)?(?:\s+\w+)?|agrees?|authori[sz]e[sd]?(?:\s+(?:it|this|that))?|ok(?:'s|'d|ays?|ayed)?(?:\s+(?:it|this|with\s+\w+))?|says?\s+(?:yes|ok|it's\s+ok)|cleared|cool\s+with\s+it|happy\s+with\s+it|given\s+the\s+go-?ahead|gives?\s+(?:the|a|his|her|their)\s+(?:go[\s-]?ahead|ok(?:ay)?|green\s+light|approval|sign-?off|permission))"
_YES = re.compile(
    rf"(?:(?:{_THING}|(?-i:{_WHO}))(?:{_BE}|\s+(?:has|have))\s+)?{_SAYS_YES}(?:\s+by\s+.{{1,40}})?"
    r"|(?:(?:you|we|i)(?:'ve|\s+have)?\s+(?:get|got|have|received)\s+)?(?:the\s+|an?\s+|my\s+)?(?:[\w']+\s+){0,3}(?:approval|sign-?off|permission|authori[sz]ation|go-?ahead)(?:\s+(?:is|has\s+been)\s+(?:given|granted|there|in|received|obtained|in\s+place)|\s+comes\s+(?:in|through)|\s+from\s+.{1,40})?",
    re.IGNORECASE,
)
_NO = re.compile(
    rf"(?:(?:{_THING}|{_WHO}|approval|permission)(?:{_BE})\s*)?(?:rejected|denied|declined|refused|turned\s+down|not\s+(?:approved|given|granted|signed\s+off)|says?\s+no|refuses?|rejects?(?:\s+it)?|declines|(?:does|do|is|has|was)(?:n't|\s+not)\s+(?:been\s+)?(?:approved?|agree|given|granted|signed?\s+off)(?:\s+it)?)(?:\s+by\s+.{{1,40}})?",
    re.IGNORECASE,
)
POSSIBLE: Final = (
    "a condition can be about the price ('if it costs more than 5000'), the seats or the budget that are left, "
    "the days of leave that somebody has, or whether a task before it succeeded or was approved"
)


def read_condition(words: str, *, unless: bool = False) -> Condition | None:
    """Return the condition that words say; None if it is none that can be judged."""
    plain = re.sub(r"\s+", " ", words).strip(" ,.;:!")
    found = _compared(plain) or _said(plain)
    if found is None:
        return None
    if unless:
        return _turned(found)
    return found


def _turned(found: Condition) -> Condition | None:
    turned = {About.FAILURE: About.SUCCESS, About.REJECTED: About.APPROVED}
    if found.about in turned:
        return replace(found, about=turned[found.about])
    return found.opposite() if found.comparisons else None


def _said(plain: str) -> Condition | None:
    lowered = plain.lower()
    seat_only = _words_of(lowered) <= _SEAT_WORDS and _SEATS.search(lowered)
    sold_out = re.search(r"\bsold\s+out\b", lowered)
    if seat_only and sold_out and not re.search(r"n't|\bnot\b", lowered):
        return Condition(
            about=About.SEATS, comparisons=(Comparison(operator="<", value=1),), words=plain
        )
    if seat_only and (
        sold_out
        or re.search(
            r"\b(?:left|available|availability|free|enough|remain\w*|space|room)\b", lowered
        )
    ):
        if not re.search(r"\b(?:no|aren't|no\s+more)\b", lowered):
            return Condition(about=About.SEATS, words=plain)
    if _BUDGET.search(lowered) and _words_of(lowered) <= _BUDGET_WORDS:
        return Condition(about=About.BUDGET, words=plain)
    if re.fullmatch(
        r"(?:there\s+(?:are|is)|we\s+have|you\s+have|they\s+have)\s+(?:still\s+)?(?:any|some|enough|places)(?:\s+(?:left|available|free|remaining))?|(?:any|some|enough)\s+(?:are|is)\s+(?:still\s+)?(?:left|available)",
        lowered,
    ):
        return Condition(about=About.SEATS, words=plain)
    for about, pattern in (
        (About.REJECTED, _NO),
        (About.APPROVED, _YES),
        (About.SUCCESS, _SUCCESS),
        (About.FAILURE, _FAILURE),
    ):
        if pattern.fullmatch(plain):
            return Condition(about=about, words=plain)
    return None


def _compared(plain: str) -> Condition | None:
    comparisons: list[Comparison] = []
    rest = _EACH.sub(" ", plain)
    for pattern in (_BETWEEN, _OR_MORE, _COMPARISON):
        while match := pattern.search(rest):
            read = _comparisons_of(match)
            if read is None:
                return None
            comparisons += read
            rest = f"{rest[: match.start()]} {rest[match.end() :]}"
    if not comparisons or re.search(r"\bor\b", rest):
        return None
    about = _about(plain, rest.lower())
    return (
        None
        if about is None
        else Condition(about=about, comparisons=tuple(comparisons), words=plain)
    )


def _about(plain: str, rest: str) -> About | None:
    words = _words_of(rest)
    if re.search(r"n't|\bnot\b|\bnever\b", rest):
        return None
    if _BUDGET.search(plain) and words <= _BUDGET_WORDS:
        return About.BUDGET
    if _DAYS.search(rest) and re.search(r"\b(?:left|remaining|has|have|leave|vacation)\b", rest):
        return About.DAYS
    if (
        "$" not in plain
        and _SEATS.search(rest)
        and words <= _SEAT_WORDS
        and re.search(r"left|available|free|remain", rest)
    ):
        return About.SEATS
    if words <= _PRICE_WORDS:
        return About.UNIT_PRICE if _EACH.search(plain) else About.PRICE
    return None


def _comparisons_of(match: re.Match[str]) -> list[Comparison] | None:
    groups = match.groupdict()
    value = money_in(groups["amount"])
    if value is None:
        return None
    if "to" in groups:
        upper = money_in(groups["to"])
        return (
            None
            if upper is None
            else [Comparison(operator=">=", value=value), Comparison(operator="<=", value=upper)]
        )
    if "way" in groups:
        more = groups["way"].lower() in {"more", "above", "higher", "over"}
        return [Comparison(operator=">=" if more else "<=", value=value)]
    operators = (("at_least", ">="), ("at_most", "<="), ("more", ">"), ("less", "<"))
    return [Comparison(operator=next(op for name, op in operators if groups[name]), value=value)]


def money_in(words: str) -> float | None:
    """Return the dollars in words such as `5k`, `$1,000` or `five thousand`."""
    plain = words.strip().lower().removeprefix("us")
    spelled = re.fullmatch(r"\$?\s?([0-9.,]+)\s?hundred", plain)
    if spelled:
        return float(spelled[1].replace(",", "")) * 100
    if re.match(r"\$?\s?[0-9]", plain):
        try:
            cents = amount_in(plain if plain.startswith("$") else f"${plain}")
        except AgentRefusedError:
            return None
        return None if cents is None else cents / 100
    number = number_in_words(plain.replace("grand", "thousand"))
    return None if number is None else float(number)


def _words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z'-]+", text.lower()))


_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def cel_of(condition: Condition, *, value: str, guards: list[str]) -> str:
    """Write comparisons as CEL that is false, and no error, where there is no value.

    Args:
        condition: What has to hold.
        value: The CEL expression that is compared.
        guards: Paths such as `outputs.purchase.total_price` that have to exist.
    """
    compared = [
        f"{value} {_OPPOSITE[item.operator] if condition.negated else item.operator} {item.value}"
        for item in condition.comparisons
    ]
    joined = (" || " if condition.negated else " && ").join(compared)
    if condition.negated and len(compared) > 1:
        joined = f"({joined})"
    return " && ".join([*(exists(path) for path in guards), joined])


def exists(path: str) -> str:
    """Write as CEL that a path such as `outputs.purchase.order_id` leads somewhere."""
    parts = path.split(".")
    return " && ".join(f"has({'.'.join(parts[:end])})" for end in range(2, len(parts) + 1))


def holds_for(condition: Condition, value: float) -> bool:
    """Judge comparisons for a value that is known already."""
    judged = [
        {
            ">": value > item.value,
            ">=": value >= item.value,
            "<": value < item.value,
            "<=": value <= item.value,
        }[item.operator]
        for item in condition.comparisons
    ]
    return not all(judged) if condition.negated else all(judged)

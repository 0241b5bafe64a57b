"""Conditions as people write them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from orchestration.agents.team.amounts import amount_in
from orchestration.agents.team.dates import without_dates
from orchestration.agents.team.quantities import number_in_words
from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.condition import About, Comparison, Condition
from orchestration.planning.outcome_words import outcome_in
from state.errors import AgentRefusedError

_MORE = (
    r"(?:(?:any(?:thing)?\s+)?(?:more|greater|higher|larger|bigger)\s+than|over"
    r"|above|beyond|in\s+excess\s+of|exceed(?:s|ing)?|upwards\s+of|north\s+of"
    r"|surpass(?:es)?|tops?|past|more\s+expensive\s+than|>(?!=))"
)
_LESS = (
    r"(?:(?:less|fewer|lower|smaller)\s+than|under(?!\s+budget)|below|cheaper\s+than"
    r"|<(?!=)|beneath|short\s+of|south\s+of)"
)
_AT_LEAST = (
    r"(?:(?:more|greater|higher)\s+than\s+or\s+equal\s+to|at\s+least"
    r"|no\s+less\s+than|not\s+less\s+than|a\s+minimum\s+of|minimum|>="
    r"|reach(?:es)?|hits?|from)"
)
_AT_MOST = (
    r"(?:(?:less|lower|smaller)\s+than\s+or\s+equal\s+to|at\s+(?:the\s+)?most"
    r"|no\s+more\s+than|not\s+more\s+than|up\s+to"
    r"|a\s+maximum\s+of|max(?:imum)?|within|<=|not\s+over|not\s+above|doesn't\s+exceed"
    r"|does\s+not\s+exceed)"
)
_NUMBER = (
    r"(?P<amount>(?:us)?\$?\s?[0-9][0-9,]*(?:\.[0-9]+)?\s?(?:k|thousand|grand|m|million|hundred)?\b"
    r"|(?:an?\s+|one\s+|two\s+|three\s+|four\s+|five\s+|six\s+|seven\s+|eight\s+"
    r"|nine\s+|ten\s+|fifteen\s+|twenty\s+|thirty\s+|forty\s+|fifty\s+"
    r"|twenty-five\s+)?(?:hundred|thousand|grand|dozen)"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty"
    r"|thirty|forty|fifty))"
    r"(?P<unit>\s?(?:dollars?|usd|bucks|\$))?"
)
_COMPARISON = re.compile(
    (
        rf"(?:(?P<at_least>{_AT_LEAST})|(?P<at_most>{_AT_MOST})|(?P<more>{_MORE})"
        rf"|(?P<less>{_LESS}))\s*{_NUMBER}"
    ),
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
    (
        r"\b(?:each|per\s+(?:ticket|seat|person|head|piece)|apiece|a\s+(?:ticket|piece"
        r"|head|seat)|the\s+ticket\s+price)\b"
    ),
    re.IGNORECASE,
)
_PRICE_WORDS = word_set(
    "stays stay remains remain is it its it's that that's this they they're the "
    "these those total totals cost "
    "costs price prices bill amount amounts order orders purchase "
    "tickets ticket booking whole thing sum value expense spend spending is are was "
    "were be being comes come came out to at of for "
    "ends end up turns works work adds add get gets goes go going would will in all "
    "altogether overall all-in anything everything and but if when "
    "dollars usd bucks each per person seat head piece apiece a an any should comes' "
    "we i pay spend have has exceed final price's combined "
    "together seats passes invoice charge does do costing"
)
_SEATS = re.compile(
    r"\b(?:seats?|tickets?|places?|spots?|availability|space|room|passes|sold\s+out|available)\b",
    re.IGNORECASE,
)
_SEAT_WORDS = word_set(
    "'s there there's are is still enough seats seat tickets ticket places place spots "
    "spot left available availability free remaining remain for "
    "it the that any some we of us space room game concert show event jazz night "
    "match tonight tomorrow isn't not sold out yet they they're "
    "it's has have least at more than all you can get passes in on to do exist be a "
    "them him her everyone"
)
_BUDGET = re.compile(
    (
        r"\bbudget\b|\b(?:left|remain\w*)\b.*\b(?:travel|marketing|events|operations"
        r"|sales|training|office)\b"
    ),
    re.IGNORECASE,
)
_BUDGET_WORDS = word_set(
    "the our there there's is are has have still enough budget left in remaining "
    "remains for it of events marketing operations sales travel "
    "training office more than at least dollars usd money that this department team "
    "we a with month month's any"
)
_LEFT_WORDS = word_set(
    "she he they has is are there there's still left remains remaining available in it we have of"
)
_DAYS = re.compile(r"\bdays?\b", re.IGNORECASE)
_AS_MANY = re.compile(
    r"\b((?:there\s+(?:are|is)|we\s+have)\s+(?:still\s+)?)"
    r"(?=[0-9]+\s+(?:more\s+)?(?:free\s+|available\s+)?(?:seats|tickets|places|spots)\b)",
    re.IGNORECASE,
)
"""`if there are 20 seats left` holds with more of them, too."""
_ASKED = re.compile(
    r"(?:check|see|find\s+out|verify|confirm|look\s+up|tell\s+me)\s+(?:if|whether)\s+(?P<said>.+)"
    r"|(?P<be>are|is)\s+there\s+(?P<what>.+)",
    re.IGNORECASE | re.DOTALL,
)
POSSIBLE: Final = (
    "a condition can be about the price ('if it costs more than 5000'), the seats or "
    "the budget that are left, "
    "the days of leave that somebody has, or whether a task before it succeeded or was approved"
)


def read_condition(words: str, *, unless: bool = False) -> Condition | None:
    """Return the condition that words say; None if it is none that can be judged."""
    plain = _AS_MANY.sub(r"\1at least ", re.sub(r"\s+", " ", words).strip(" ,.;:!"))
    found = _compared(plain) or _said(plain)
    if found is None:
        return None
    if unless:
        return _turned(found)
    return found


def asked_condition(words: str) -> Condition | None:
    """Return what a question such as `check if 20 seats are left` asks, for `if so` after it."""
    match = _ASKED.fullmatch(words.strip(" .?!"))
    if match is None:
        return None
    found = read_condition(match["said"] or f"there {match['be']} {match['what']}")
    looked_up = {About.SEATS, About.BUDGET, About.LEFT, About.DAYS}
    return found if found is not None and found.about in looked_up else None


def _turned(found: Condition) -> Condition | None:
    turned = {About.FAILURE: About.SUCCESS, About.REJECTED: About.APPROVED}
    if found.about in turned:
        return replace(found, about=turned[found.about])
    return found.opposite() if found.comparisons else None


def _said(plain: str) -> Condition | None:
    lowered = plain.lower()
    seat_only = _words_of(without_dates(lowered)) <= _SEAT_WORDS and _SEATS.search(lowered)
    sold_out = re.search(r"\bsold\s+out\b", lowered)
    if seat_only and sold_out and not re.search(r"n't|\bnot\b", lowered):
        return Condition(
            about=About.SEATS, comparisons=(Comparison(operator="<", value=1),), words=plain
        )
    if (
        seat_only
        and (
            sold_out
            or re.search(
                r"\b(?:left|available|availability|free|enough|remain\w*|space|room)\b", lowered
            )
        )
        and not re.search(r"\b(?:no|aren't|no\s+more)\b", lowered)
    ):
        return Condition(about=About.SEATS, words=plain)
    if _BUDGET.search(lowered) and _words_of(lowered) <= _BUDGET_WORDS:
        return Condition(about=About.BUDGET, words=plain)
    if re.fullmatch(
        (
            r"(?:there\s+(?:are|is)|we\s+have|you\s+have"
            r"|they\s+have)\s+(?:still\s+)?(?:any|some|enough|places)(?:\s+(?:left"
            r"|available|free|remaining))?|(?:any|some|enough)\s+(?:are"
            r"|is)\s+(?:still\s+)?(?:left|available)"
        ),
        lowered,
    ):
        return Condition(about=About.SEATS, words=plain)
    about = outcome_in(plain)
    return None if about is None else Condition(about=about, words=plain)


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
        and _words_of(without_dates(rest)) <= _SEAT_WORDS
        and re.search(r"left|available|free|remain", rest)
    ):
        return About.SEATS
    return _about_number(plain, words)


def _about_number(plain: str, words: set[str]) -> About | None:
    left = {"left", "remains", "remaining", "available"} & words
    if words <= _LEFT_WORDS and (left or words & {"there", "has"}):
        return About.LEFT
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

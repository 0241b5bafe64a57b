"""Tasks about deals: opportunities and proposals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.agents.team.vocabulary import word_set
from orchestration.planning.customer_tasks import account_in, amount_of
from orchestration.planning.drafts import Draft
from orchestration.planning.problems import NotUnderstoodError, quoted
from orchestration.planning.quotes import MARK
from orchestration.planning.tails import check_parts, check_tail

if TYPE_CHECKING:
    from orchestration.planning.clauses import Clause
    from orchestration.planning.quotes import Text
    from orchestration.planning.vocabulary import Frame


_CALLED = re.compile(
    (
        r"\b(?:called|titled|named)\s+(?P<name>\ue000[0-9]+\ue001|.+?)(?=\s+(?:worth|for"
        r"|valued|with)\b|[.,;]|$)"
    ),
    re.IGNORECASE,
)


SAME_DEAL: Final = re.compile(
    r"\b(?:(?:for|of|with|from|based\s+on)\s+(?:it|that|this|the\s+(?:proposal|offer|quote"
    r"|opportunity|deal))|(?:the\s+same|that|this)\s+(?:amount|value|price|sum|total))\b",
    re.IGNORECASE,
)
"""What is worth as much as the deal that was spoken of before."""


def deal(frame: Frame, clause: Clause, words: str, *, text: Text) -> Draft:
    """Plan a new opportunity or proposal.

    Raises:
        NotUnderstoodError: It has no amount, or several.
    """
    noun = "proposal" if frame.name == "proposal" else "opportunity"
    account, amount = account_in(MARK.sub(" ", words)), amount_of(words, clause.quote)
    unsaid = f"What is the {noun} in {quoted(clause.quote)} worth? Say for example 'worth $20,000'."
    if amount is None and not SAME_DEAL.search(words):
        raise NotUnderstoodError(unsaid)
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=f"Create {'a' if noun == 'proposal' else 'an'} {noun}"
        + (f" for {account}" if account else "")
        + ("" if amount is None else f" worth ${amount:,.2f}"),
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, **({} if amount is None else {"amount": amount})},
        account=account,
        amount=amount,
    )
    if account:
        draft.fields["account"] = account
    if amount is None:
        draft.missing = unsaid
    elif account is None:
        draft.missing = (
            f"Which account is the {noun} in {quoted(clause.quote)} for? Say for example "
            f"'for Acme'."
        )
    if match := _CALLED.search(words):
        draft.fields["title" if noun == "proposal" else "name"] = (
            text.spoken(match["name"]) or match["name"].strip()
        )
    tail = re.split(
        r"\b(?:proposal|offer|quote|quotation|opportunity|deal)\b",
        words,
        maxsplit=1,
        flags=re.IGNORECASE,
    )[-1]
    check_tail(
        _without_account(_CALLED.sub(" ", tail), account),
        quote=clause.quote,
        known=word_set(
            "same renewal upgrade contract annual package support licences licenses "
            "services consulting event total valued price amount pricing"
        ),
    )
    return draft


def _without_account(words: str, account: str | None) -> str:
    if account is None:
        return words
    return re.sub(rf"(?:\b(?:with|for|to|at)\s+)?{re.escape(account)}", " ", words)


def opportunity_change(frame: Frame, clause: Clause, words: str) -> Draft:
    """Plan that an opportunity is changed.

    Raises:
        NotUnderstoodError: It names none by its number.
    """
    numbers = set(
        re.findall(
            r"\b(?:opportunity|deal)\s*(?:number|no\.?)?\s*#?\s*([0-9]{1,15})\b",
            words,
            re.IGNORECASE,
        )
    )
    if len(numbers) != 1:
        raise NotUnderstoodError(
            f"Which opportunity is meant in {quoted(clause.quote)}? Name one by its "
            f"number, for example 'Mark opportunity 3 as won'."
        )
    check_parts(words, quote=clause.quote, known=word_set("worth stage amount value set change"))
    number = int(numbers.pop())
    stage = re.search(
        r"\b(prospecting|qualification|proposal|negotiation|won|lost)\b", words, re.IGNORECASE
    )
    verb = re.match(r"(win|lose)\b", words, re.IGNORECASE)
    rest = re.sub(
        rf"\b(?:opportunity|deal)\s*(?:number|no\.?)?\s*#?\s*{number}\b",
        " ",
        words,
        flags=re.IGNORECASE,
    )
    amount = amount_of(rest, clause.quote)
    if stage is None and verb is None and amount is None:
        raise NotUnderstoodError(
            f"What shall change in {quoted(clause.quote)}? Give a stage or an "
            f"amount, for example 'Move opportunity {number} to negotiation'."
        )
    draft = Draft(
        name=frame.name,
        capability=str(frame.capability),
        message=words,
        quote=clause.quote,
        clause=clause,
        fields={"action": frame.action, "opportunity_id": number},
    )
    if stage or verb:
        draft.fields["stage"] = (
            stage[1].lower()
            if stage
            else {"win": "won", "lose": "lost"}[verb[1].lower()]
            if verb
            else ""
        )
    if amount is not None:
        draft.fields["amount"] = amount
    return draft

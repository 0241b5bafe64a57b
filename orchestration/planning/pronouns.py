"""`for them`, `she`: the customer or colleague of whom was spoken last in the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestration.planning.deal_tasks import SAME_DEAL
from orchestration.planning.message_tasks import PRONOUNS
from orchestration.planning.problems import NotUnderstoodError, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.planning.drafts import Draft


_SAME_CUSTOMER = re.compile(
    (
        r"\b(?:for|with|to|of)\s+(?:them|it|him|her|(?:the\s+same|that|this)\s+(?:client"
        r"|customer|account|company|one|deal|proposal|opportunity|amount))\b"
        r"|^(?:send|get|give|write|make)\s+them\b"
        rf"|{SAME_DEAL.pattern}"
    ),
    re.IGNORECASE,
)


_DEALS = frozenset({"proposal", "opportunity"})


def name_employee(draft: Draft, words: str, before: Sequence[Draft]) -> None:
    """`she` is the employee of whom was spoken last."""
    if (
        draft.capability != "leave_management"
        or "employee" in draft.fields
        or not re.search(r"\b(?:he|she|they|him|her|them)\b", words, re.IGNORECASE)
    ):
        return
    name = next(
        (other.fields["employee"] for other in reversed(before) if "employee" in other.fields), None
    )
    if name is None:
        raise NotUnderstoodError(f"Who is meant in {quoted(draft.quote)}? Say the name.")
    draft.fields["employee"] = name
    draft.message = re.sub(
        r"\b(?:he|she|they|him|her|them|me)\b", str(name), draft.message, flags=re.IGNORECASE
    )


def name_recipient(draft: Draft, before: Sequence[Draft]) -> None:
    """`text him` is for the person of whom was spoken last.

    Raises:
        NotUnderstoodError: Nobody was spoken of, or `them` may be anybody.
    """
    said = str(draft.fields.get("to", ""))
    if draft.name != "notification" or said.lower() not in PRONOUNS:
        return
    named = (_person(other) for other in reversed(before))
    name = next((name for name in named if name is not None), None)
    if name is None or said.lower() == "them":
        raise NotUnderstoodError(
            f"Who is {quoted(said)} in {quoted(draft.quote)}? Give a name or a phone number."
        )
    draft.fields["to"] = name
    draft.message = draft.message.replace(f"to {said}", f"to {name}", 1)


def _person(draft: Draft) -> str | None:
    """The person whom a task names."""
    for field in ("employee", "to", "name"):
        value = draft.fields.get(field)
        if isinstance(value, str) and not value[0].isdigit() and value[0] != "+":
            return value
    return draft.account


def name_customer(draft: Draft, words: str, before: Sequence[Draft]) -> None:
    """`for them` is for the customer of whom was spoken last."""
    if (
        draft.name not in {"proposal", "opportunity", "crm_update"}
        or draft.account
        or not _SAME_CUSTOMER.search(words)
    ):
        return
    account = next((other.account for other in reversed(before) if other.account), None)
    if account is not None:
        draft.account = account
        if draft.amount is not None or draft.name == "crm_update":
            draft.missing = None
        draft.fields["account"] = account
        draft.message = re.sub(
            r"^(Create an? \w+|(?:Update|Log a \w+ in) the CRM)",
            rf"\1 for {account}",
            draft.message,
        )


def name_amount(draft: Draft, words: str, before: Sequence[Draft]) -> None:
    """An opportunity `for it`, after a proposal, is worth as much as that."""
    if draft.name not in _DEALS or draft.amount is not None or not SAME_DEAL.search(words):
        return
    deals = [other for other in before if other.name in _DEALS and other.amount is not None]
    if len(deals) != 1 or deals[0].account not in {None, draft.account}:
        return
    draft.amount, draft.missing = deals[0].amount, None
    draft.fields["amount"] = draft.amount
    draft.message += f" worth ${draft.amount:,.2f}"
    draft.need(deals[0])
    if draft.account is None:
        draft.missing = f"Which account is {quoted(draft.quote)} for? Say for example 'for Acme'."

"""What agents can do: an open set of names."""

from __future__ import annotations

from typing import ClassVar, Self


class AgentCapability(str):
    """A capability's name: one of the constants below, or any other word.

    `AgentCapability("fleet_booking")` is as good as `AgentCapability.TICKET_PURCHASE`, and
    both equal their plain string.
    """

    __slots__ = ()

    TICKET_PURCHASE: ClassVar[AgentCapability]
    TICKET_CANCELLATION: ClassVar[AgentCapability]
    EVENT_INFORMATION: ClassVar[AgentCapability]
    NOTIFICATION: ClassVar[AgentCapability]
    CRM_UPDATE: ClassVar[AgentCapability]
    OPPORTUNITY_MANAGEMENT: ClassVar[AgentCapability]
    PROPOSAL_GENERATION: ClassVar[AgentCapability]
    EXPENSE_APPROVAL: ClassVar[AgentCapability]
    EXPENSE_LOGGING: ClassVar[AgentCapability]
    BUDGET_INFORMATION: ClassVar[AgentCapability]
    LEAVE_MANAGEMENT: ClassVar[AgentCapability]
    EMPLOYEE_INFORMATION: ClassVar[AgentCapability]
    ONBOARDING: ClassVar[AgentCapability]

    def __new__(cls, name: str) -> Self:
        """Normalise `name`: lower case, words joined by underscores."""
        spelt = _spelt(name)
        if not spelt:
            message = "a capability needs a name, e.g. 'ticket_purchase'"
            raise ValueError(message)
        return super().__new__(cls, spelt)

    @classmethod
    def known(cls) -> tuple[AgentCapability, ...]:
        """The capabilities that have a constant, in the order of their definition."""
        return tuple(_KNOWN)

    @classmethod
    def of_action(cls, action: str) -> AgentCapability:
        """The capability that an action such as `purchase_tickets` asks for.

        An action nobody mapped is taken as the name of a capability.
        """
        name = cls(action)
        return _BY_ACTION.get(name, name)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that ask for it; none for a capability of one's own."""
        return _ACTIONS.get(self, ())


def _spelt(name: str) -> str:
    return "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())


_KNOWN: list[AgentCapability] = []
for _name in AgentCapability.__annotations__:
    _capability = AgentCapability(_name)
    _KNOWN.append(_capability)
    setattr(AgentCapability, _name, _capability)

_ACTIONS = {
    AgentCapability.TICKET_PURCHASE: ("purchase_tickets", "book_tickets", "buy_tickets"),
    AgentCapability.TICKET_CANCELLATION: ("cancel_order", "cancel_tickets", "refund_tickets"),
    AgentCapability.EVENT_INFORMATION: ("event_info", "list_events", "check_availability"),
    AgentCapability.NOTIFICATION: ("send_sms", "notify", "send_notification"),
    AgentCapability.CRM_UPDATE: ("update_crm", "log_activity"),
    AgentCapability.OPPORTUNITY_MANAGEMENT: ("create_opportunity", "update_opportunity"),
    AgentCapability.PROPOSAL_GENERATION: ("create_proposal", "generate_proposal"),
    AgentCapability.EXPENSE_APPROVAL: ("approve_expense",),
    AgentCapability.EXPENSE_LOGGING: ("log_expense", "cancel_expense", "reverse_expense"),
    AgentCapability.BUDGET_INFORMATION: ("check_budget", "budget_status"),
    AgentCapability.LEAVE_MANAGEMENT: (
        "request_leave",
        "check_leave",
        "withdraw_leave",
        "cancel_leave",
    ),
    AgentCapability.EMPLOYEE_INFORMATION: ("find_employee", "employee_info"),
    AgentCapability.ONBOARDING: ("onboard", "start_onboarding", "onboard_employee"),
}
_READING = frozenset(
    {
        "event_info",
        "list_events",
        "check_availability",
        "check_budget",
        "budget_status",
        "check_leave",
        "find_employee",
        "employee_info",
    }
)
"""Known actions that change nothing."""


def acts(action: str) -> bool:
    """Whether an action, or all that a capability does, is known to change something.

    However it is written; of unknown ones nobody knows.
    """
    name = _spelt(action)
    return (name in _BY_ACTION and name not in _READING) or only_acts(name)


def only_acts(capability: str) -> bool:
    """Whether everything that a capability is known for changes something."""
    actions = _OF_CAPABILITY.get(_spelt(capability), ())
    return bool(actions) and all(map(acts, actions))


_OF_CAPABILITY = {str(capability): actions for capability, actions in _ACTIONS.items()}
_BY_ACTION = {action: capability for capability, actions in _ACTIONS.items() for action in actions}

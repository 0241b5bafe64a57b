"""Coordinate several AI agents: every strategy becomes a durable LangGraph graph.

This is the face of the project: users import from here only. Names load when they are
first used, so that `import orchestration` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from orchestration._own_packages import check_own_packages

if TYPE_CHECKING:
    from checkpoints.database import open_database
    from orchestration.agent_registry import AgentRegistry, get_registry
    from orchestration.agents.spec import AgentSpec
    from orchestration.simple_coordinator import SimpleCoordinator
    from orchestration.workflow_events import WorkflowEvent
    from state.agent_context import AgentContext
    from state.approval import ApprovalPolicy
    from state.capability import AgentCapability
    from state.conversation import HistoryWindow
    from state.errors import (
        AgentError,
        AgentNotFoundError,
        AgentRefusedError,
        AgentTimeoutError,
        AgentUnavailableError,
        AlreadyDecidedError,
        AmbiguousRequestError,
        CallableLostError,
        ConfigurationError,
        DatabaseError,
        DecisionError,
        DrainedError,
        EncryptionError,
        ForkError,
        HandoffError,
        LeaseLostError,
        NotAllowedError,
        OrchestrationError,
        OutOfTurnsError,
        PlanError,
        RegistrationError,
        RequestNotFoundError,
        RetentionError,
        RoutingError,
        SupervisorError,
        ThreadBusyError,
        ThreadError,
        ThreadFinishedError,
        ThreadNotFoundError,
        ThreadPendingError,
        TurnError,
        UnknownReplyError,
    )
    from state.failure_mode import FailureMode, quorum
    from state.result import TaskResult, WorkflowResult
    from state.retry import RetryPolicy
    from state.status import CoordinationStrategy, TaskStatus, WorkflowStatus
    from state.task import AgentTask, ForEach, Repeat, SubWorkflow
    from state.workflow import Workflow

check_own_packages()

_HOMES = {
    "checkpoints.database": ("open_database",),
    "orchestration.agent_registry": ("AgentRegistry", "get_registry"),
    "orchestration.agents.spec": ("AgentSpec",),
    "orchestration.simple_coordinator": ("SimpleCoordinator",),
    "orchestration.workflow_events": ("WorkflowEvent",),
    "state.agent_context": ("AgentContext",),
    "state.approval": ("ApprovalPolicy",),
    "state.capability": ("AgentCapability",),
    "state.conversation": ("HistoryWindow",),
    "state.errors": (
        "AgentError",
        "AgentNotFoundError",
        "AgentRefusedError",
        "AgentTimeoutError",
        "AgentUnavailableError",
        "AlreadyDecidedError",
        "AmbiguousRequestError",
        "CallableLostError",
        "ConfigurationError",
        "DatabaseError",
        "DecisionError",
        "DrainedError",
        "ForkError",
        "EncryptionError",
        "HandoffError",
        "LeaseLostError",
        "NotAllowedError",
        "OrchestrationError",
        "OutOfTurnsError",
        "PlanError",
        "RegistrationError",
        "RequestNotFoundError",
        "RetentionError",
        "RoutingError",
        "SupervisorError",
        "ThreadBusyError",
        "ThreadError",
        "ThreadFinishedError",
        "ThreadNotFoundError",
        "ThreadPendingError",
        "TurnError",
        "UnknownReplyError",
    ),
    "state.failure_mode": ("FailureMode", "quorum"),
    "state.result": ("TaskResult", "WorkflowResult"),
    "state.retry": ("RetryPolicy",),
    "state.status": ("CoordinationStrategy", "TaskStatus", "WorkflowStatus"),
    "state.task": ("AgentTask", "ForEach", "Repeat", "SubWorkflow"),
    "state.workflow": ("Workflow",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AgentCapability",
    "AgentContext",
    "AgentError",
    "AgentNotFoundError",
    "AgentRefusedError",
    "AgentRegistry",
    "AgentSpec",
    "AgentTask",
    "AgentTimeoutError",
    "AgentUnavailableError",
    "AlreadyDecidedError",
    "AmbiguousRequestError",
    "ApprovalPolicy",
    "CallableLostError",
    "ConfigurationError",
    "CoordinationStrategy",
    "DatabaseError",
    "DecisionError",
    "DrainedError",
    "EncryptionError",
    "FailureMode",
    "ForEach",
    "ForkError",
    "HandoffError",
    "HistoryWindow",
    "LeaseLostError",
    "NotAllowedError",
    "OrchestrationError",
    "OutOfTurnsError",
    "PlanError",
    "RegistrationError",
    "Repeat",
    "RequestNotFoundError",
    "RetentionError",
    "RetryPolicy",
    "RoutingError",
    "SimpleCoordinator",
    "SubWorkflow",
    "SupervisorError",
    "TaskResult",
    "TaskStatus",
    "ThreadBusyError",
    "ThreadError",
    "ThreadFinishedError",
    "ThreadNotFoundError",
    "ThreadPendingError",
    "TurnError",
    "UnknownReplyError",
    "Workflow",
    "WorkflowEvent",
    "WorkflowResult",
    "WorkflowStatus",
    "get_registry",
    "open_database",
    "quorum",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _HOME_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

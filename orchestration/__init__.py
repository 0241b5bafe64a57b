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
    from nodes.compression import Calibration
    from nodes.middleware import AgentCall, Middleware
    from orchestration.agent_registry import AgentRegistry, get_registry
    from orchestration.agents.endpoint import Endpoint
    from orchestration.agents.price import Price
    from orchestration.agents.spec import AgentSpec
    from orchestration.batch_items import BatchItem, BatchProgress, BatchResult, ItemResult
    from orchestration.enterprise import EnterpriseOrchestrator
    from orchestration.enterprise_result import EnterpriseResult
    from orchestration.optimizations import Optimizer, get_optimizer
    from orchestration.optimizer.batchable import batchable
    from orchestration.optimizer.metrics import PerformanceMetrics
    from orchestration.optimizer.retrieval.corpus import Bm25Retriever
    from orchestration.optimizer.retrieval.policy import RetrievalPolicy
    from orchestration.optimizer.retrieval.retrieval import RagOptimizer
    from orchestration.optimizer.tool_calls import ToolCall
    from orchestration.planning.model import ModelPlanner
    from orchestration.planning.policy import EnterprisePolicy
    from orchestration.routing.policies import (
        BreakerPolicy,
        OutlierPolicy,
        ProbePolicy,
        Ramp,
        Resilience,
    )
    from orchestration.simple_coordinator import SimpleCoordinator
    from orchestration.workflow_events import WorkflowEvent
    from orchestration.workflows.reading import load_workflow
    from orchestration.workflows.registry import WorkflowRegistry, get_workflows
    from state.agent_context import AgentContext
    from state.approval import ApprovalPolicy
    from state.budget import Budget
    from state.caching import CachePolicy
    from state.capability import AgentCapability
    from state.conversation import HistoryWindow
    from state.errors import (
        AgentAuthError,
        AgentError,
        AgentFileError,
        AgentNotFoundError,
        AgentNotStartedError,
        AgentOverloadedError,
        AgentRateLimitedError,
        AgentRefusedError,
        AgentTimeoutError,
        AgentUnavailableError,
        AlreadyDecidedError,
        AmbiguousRequestError,
        BadSequenceError,
        BatchConflictError,
        BudgetExceededError,
        CacheError,
        CacheUnreachableError,
        CallableLostError,
        CompressionError,
        ConfigurationError,
        DatabaseError,
        DecisionError,
        DiscoveryError,
        DrainedError,
        EncryptionError,
        EventsGoneError,
        ForkError,
        HandoffError,
        LeaseLostError,
        MetricsError,
        MigrationError,
        NewerPlanError,
        NotAllowedError,
        OrchestrationError,
        OutOfTurnsError,
        PlanError,
        PromptTooLongError,
        RegistrationError,
        RequestNotFoundError,
        RetentionError,
        RetrievalError,
        RetrievalFailedError,
        RoutingError,
        SharedCallError,
        SignalError,
        StreamError,
        SupervisorError,
        ThreadBusyError,
        ThreadError,
        ThreadExistsError,
        ThreadFinishedError,
        ThreadNotFoundError,
        ThreadPendingError,
        ToolBackendError,
        ToolCallError,
        ToolError,
        ToolNotFoundError,
        ToolTimeoutError,
        TurnError,
        UnknownReplyError,
        UnknownSignalError,
        UnknownSourceError,
        UpgradeError,
        WorkflowConflictError,
        WorkflowFileError,
        WorkflowNotFoundError,
    )
    from state.failure_mode import FailureMode, quorum
    from state.result import TaskResult, WorkflowResult
    from state.retry import RetryPolicy
    from state.status import CoordinationStrategy, TaskStatus, WorkflowStatus
    from state.task import AgentTask, ForEach, Repeat, SubWorkflow, Wait, WaitForSignal
    from state.workflow import Workflow

check_own_packages()

_HOMES = {
    "checkpoints.database": ("open_database",),
    "nodes.compression": ("Calibration",),
    "nodes.middleware": ("AgentCall", "Middleware"),
    "orchestration.agent_registry": ("AgentRegistry", "get_registry"),
    "orchestration.agents.endpoint": ("Endpoint",),
    "orchestration.agents.price": ("Price",),
    "orchestration.agents.spec": ("AgentSpec",),
    "orchestration.enterprise": ("EnterpriseOrchestrator",),
    "orchestration.enterprise_result": ("EnterpriseResult",),
    "orchestration.planning.model": ("ModelPlanner",),
    "orchestration.planning.policy": ("EnterprisePolicy",),
    "orchestration.routing.policies": (
        "BreakerPolicy",
        "OutlierPolicy",
        "ProbePolicy",
        "Ramp",
        "Resilience",
    ),
    "orchestration.simple_coordinator": ("SimpleCoordinator",),
    "orchestration.workflow_events": ("WorkflowEvent",),
    "orchestration.workflows.reading": ("load_workflow",),
    "orchestration.workflows.registry": ("WorkflowRegistry", "get_workflows"),
    "state.caching": ("CachePolicy",),
    "orchestration.optimizations": ("Optimizer", "get_optimizer"),
    "orchestration.optimizer.metrics": ("PerformanceMetrics",),
    "orchestration.batch_items": ("BatchItem", "BatchProgress", "BatchResult", "ItemResult"),
    "orchestration.optimizer.tool_calls": ("ToolCall",),
    "orchestration.optimizer.batchable": ("batchable",),
    "orchestration.optimizer.retrieval.corpus": ("Bm25Retriever",),
    "orchestration.optimizer.retrieval.policy": ("RetrievalPolicy",),
    "orchestration.optimizer.retrieval.retrieval": ("RagOptimizer",),
    "state.agent_context": ("AgentContext",),
    "state.approval": ("ApprovalPolicy",),
    "state.budget": ("Budget",),
    "state.capability": ("AgentCapability",),
    "state.conversation": ("HistoryWindow",),
    "state.errors": (
        "AgentAuthError",
        "AgentError",
        "AgentFileError",
        "AgentNotFoundError",
        "AgentNotStartedError",
        "AgentOverloadedError",
        "AgentRateLimitedError",
        "AgentRefusedError",
        "AgentTimeoutError",
        "AgentUnavailableError",
        "AlreadyDecidedError",
        "AmbiguousRequestError",
        "BadSequenceError",
        "BatchConflictError",
        "BudgetExceededError",
        "CacheError",
        "CacheUnreachableError",
        "CallableLostError",
        "CompressionError",
        "ConfigurationError",
        "DatabaseError",
        "DecisionError",
        "DiscoveryError",
        "DrainedError",
        "EncryptionError",
        "EventsGoneError",
        "ForkError",
        "HandoffError",
        "LeaseLostError",
        "MetricsError",
        "MigrationError",
        "NewerPlanError",
        "NotAllowedError",
        "OrchestrationError",
        "OutOfTurnsError",
        "PlanError",
        "PromptTooLongError",
        "RegistrationError",
        "RequestNotFoundError",
        "RetentionError",
        "RetrievalError",
        "RetrievalFailedError",
        "RoutingError",
        "SharedCallError",
        "SignalError",
        "StreamError",
        "SupervisorError",
        "ThreadBusyError",
        "ThreadError",
        "ThreadExistsError",
        "ThreadFinishedError",
        "ThreadNotFoundError",
        "ThreadPendingError",
        "ToolBackendError",
        "ToolCallError",
        "ToolError",
        "ToolNotFoundError",
        "ToolTimeoutError",
        "TurnError",
        "UnknownReplyError",
        "UnknownSignalError",
        "UnknownSourceError",
        "UpgradeError",
        "WorkflowConflictError",
        "WorkflowFileError",
        "WorkflowNotFoundError",
    ),
    "state.failure_mode": ("FailureMode", "quorum"),
    "state.result": ("TaskResult", "WorkflowResult"),
    "state.retry": ("RetryPolicy",),
    "state.status": ("CoordinationStrategy", "TaskStatus", "WorkflowStatus"),
    "state.task": ("AgentTask", "ForEach", "Repeat", "SubWorkflow", "Wait", "WaitForSignal"),
    "state.workflow": ("Workflow",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AgentAuthError",
    "AgentCall",
    "AgentCapability",
    "AgentContext",
    "AgentError",
    "AgentFileError",
    "AgentNotFoundError",
    "AgentNotStartedError",
    "AgentOverloadedError",
    "AgentRateLimitedError",
    "AgentRefusedError",
    "AgentRegistry",
    "AgentSpec",
    "AgentTask",
    "AgentTimeoutError",
    "AgentUnavailableError",
    "AlreadyDecidedError",
    "AmbiguousRequestError",
    "ApprovalPolicy",
    "BadSequenceError",
    "BatchConflictError",
    "BatchItem",
    "BatchProgress",
    "BatchResult",
    "Bm25Retriever",
    "BreakerPolicy",
    "Budget",
    "BudgetExceededError",
    "CacheError",
    "CachePolicy",
    "CacheUnreachableError",
    "Calibration",
    "CallableLostError",
    "CompressionError",
    "ConfigurationError",
    "CoordinationStrategy",
    "DatabaseError",
    "DecisionError",
    "DiscoveryError",
    "DrainedError",
    "EncryptionError",
    "Endpoint",
    "EnterpriseOrchestrator",
    "EnterprisePolicy",
    "EnterpriseResult",
    "EventsGoneError",
    "FailureMode",
    "ForEach",
    "ForkError",
    "HandoffError",
    "HistoryWindow",
    "ItemResult",
    "LeaseLostError",
    "MetricsError",
    "Middleware",
    "MigrationError",
    "ModelPlanner",
    "NewerPlanError",
    "NotAllowedError",
    "Optimizer",
    "OrchestrationError",
    "OutOfTurnsError",
    "OutlierPolicy",
    "PerformanceMetrics",
    "PlanError",
    "Price",
    "ProbePolicy",
    "PromptTooLongError",
    "RagOptimizer",
    "Ramp",
    "RegistrationError",
    "Repeat",
    "RequestNotFoundError",
    "Resilience",
    "RetentionError",
    "RetrievalError",
    "RetrievalFailedError",
    "RetrievalPolicy",
    "RetryPolicy",
    "RoutingError",
    "SharedCallError",
    "SignalError",
    "SimpleCoordinator",
    "StreamError",
    "SubWorkflow",
    "SupervisorError",
    "TaskResult",
    "TaskStatus",
    "ThreadBusyError",
    "ThreadError",
    "ThreadExistsError",
    "ThreadFinishedError",
    "ThreadNotFoundError",
    "ThreadPendingError",
    "ToolBackendError",
    "ToolCall",
    "ToolCallError",
    "ToolError",
    "ToolNotFoundError",
    "ToolTimeoutError",
    "TurnError",
    "UnknownReplyError",
    "UnknownSignalError",
    "UnknownSourceError",
    "UpgradeError",
    "Wait",
    "WaitForSignal",
    "Workflow",
    "WorkflowConflictError",
    "WorkflowEvent",
    "WorkflowFileError",
    "WorkflowNotFoundError",
    "WorkflowRegistry",
    "WorkflowResult",
    "WorkflowStatus",
    "batchable",
    "get_optimizer",
    "get_registry",
    "get_workflows",
    "load_workflow",
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

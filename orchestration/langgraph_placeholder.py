"""Where the first description has `EnterpriseOrchestrator`; it is no placeholder any more."""

from orchestration.enterprise import EnterpriseOrchestrator

__all__ = ["EnterpriseOrchestrator"]

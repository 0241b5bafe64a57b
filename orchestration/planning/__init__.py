"""Planning without a model: one request in plain English becomes tasks for capabilities."""

from orchestration.planning.deterministic import DeterministicPlanner

__all__ = ["DeterministicPlanner"]

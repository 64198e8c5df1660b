"""What processes share of an account: its request budget, its lock and its access token."""

from airflow_provider_lms.coordination.budget import SharedBudget
from airflow_provider_lms.coordination.store import CoordinationError, MemoryStore, Store
from airflow_provider_lms.coordination.tokens import SharedTokens

__all__ = ["CoordinationError", "MemoryStore", "SharedBudget", "SharedTokens", "Store"]

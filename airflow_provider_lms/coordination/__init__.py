"""What processes share of an account: its rate limit, its lock, its access token and the links of its courses."""

from airflow_provider_lms.coordination.links import SharedLinks
from airflow_provider_lms.coordination.rate_limit_state import Owner
from airflow_provider_lms.coordination.rate_limiter import SharedRateLimiter
from airflow_provider_lms.coordination.store import MemoryStore, Store
from airflow_provider_lms.coordination.tokens import SharedTokens
from airflow_provider_lms.lms.http.rate_limit import CoordinationError

__all__ = ["CoordinationError", "MemoryStore", "Owner", "SharedLinks", "SharedRateLimiter", "SharedTokens", "Store"]

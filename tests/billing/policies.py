"""Versions of policies with defaults, so that a test states only what matters to it."""

from datetime import UTC, date, datetime
from typing import Any

from services.billing.domain.policy_book import PORTFOLIO, PolicyVersion

LONG_AGO = date(2020, 1, 1)


def a_version(terms: dict[str, Any] | None = None, **changes: Any) -> PolicyVersion:
    """The first version of the portfolio's policy, in force since long ago."""
    values: dict[str, Any] = {
        "scope": "portfolio",
        "scope_id": PORTFOLIO,
        "version": 1,
        "effective_on": LONG_AGO,
        "terms": terms or {},
        "reason": None,
        "set_by": "ada",
        "set_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return PolicyVersion(**values | changes)

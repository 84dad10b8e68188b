"""Things with defaults, so that a test states only what matters to it."""

from datetime import UTC, date, datetime
from typing import Any

from shared.contracts.leasing import LeaseActivated, PropertyRegistered, RecurringCharge
from shared.contracts.scheduler import MonthlyBillingDue
from shared.identity import new_id

DECEMBER = datetime(2026, 12, 1, 12, tzinfo=UTC)


def a_property(**changes: Any) -> PropertyRegistered:
    """A property in New York."""
    values: dict[str, Any] = {
        "property_id": new_id(),
        "version": 1,
        "name": "Elm Street",
        "address": "1 Elm Street",
        "time_zone": "America/New_York",
    }
    return PropertyRegistered(**values | changes)


def a_lease(**changes: Any) -> LeaseActivated:
    """A lease of $1,500.00 a month, due on the first, since the beginning of 2026."""
    values: dict[str, Any] = {
        "lease_id": new_id(),
        "version": 1,
        "property_id": new_id(),
        "unit_id": new_id(),
        "unit_label": "1A",
        "tenant_ids": (new_id(),),
        "time_zone": "America/New_York",
        "rent_cents": 150_000,
        "charges": (RecurringCharge(code="parking", description="Parking", amount_cents=7_500),),
        "starts_on": date(2026, 1, 1),
    }
    return LeaseActivated(**values | changes)


def billing_due(**changes: Any) -> MonthlyBillingDue:
    """The trigger for December 2026."""
    values: dict[str, Any] = {
        "occurrence_id": new_id(),
        "schedule_key": "monthly-billing",
        "as_of": DECEMBER,
        "period": "2026-12",
    }
    return MonthlyBillingDue(**values | changes)

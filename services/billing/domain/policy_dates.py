"""The dates that a policy comes to: "grace 5" says little, the date of the first possible fee says all."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from services.billing.domain.fee_calendar import FeeCalendar, Hold
from services.billing.domain.fee_policy import fee_policy_of
from services.billing.domain.invoices import due_on
from services.billing.domain.jurisdictions import Profile
from services.billing.domain.late_fees import scheme_of
from services.billing.domain.late_terms import LateTerms
from services.billing.domain.leases import RentTerms
from services.billing.domain.periods import due_date, following, period_of, periods_between
from services.billing.domain.policies import BillingPolicy

_REACH: Final = timedelta(days=62)
"""A due date lies at most so far from the first day of its period."""


def charges_fees(policy: BillingPolicy) -> bool:
    """Whether late rent can cost anything at all."""
    return bool(policy.late_fee_rules) or policy.interest_apr is not None


def grace_ends_by(
    policy: BillingPolicy,
    due_on: date,
    profile: Profile | None = None,
    *,
    holds: Sequence[Hold] = (),
    period: tuple[date, date] | None = None,
) -> date | None:
    """The first day on which a late fee is possible for a due date, were there one.

    None while a hold without an end lasts. `profile` is the law of the place, `period` the first and last
    day of what the rent is for.
    """
    starts_on, ends_on = period or (None, None)
    terms = LateTerms(
        due_on=due_on,
        rent_cents=0,
        period_starts_on=starts_on,
        period_ends_on=ends_on,
        policy=fee_policy_of(policy),
    )
    calendar = FeeCalendar(holds, policy.hold_days_count, terms.policy.holidays)
    return scheme_of(terms, calendar, profile).first_fee_on


def first_fee_on(
    policy: BillingPolicy,
    due_on: date,
    profile: Profile | None = None,
    *,
    holds: Sequence[Hold] = (),
    period: tuple[date, date] | None = None,
) -> date | None:
    """The first day on which a late fee is possible; None also where the policy has none at all."""
    if not charges_fees(policy):
        return None
    return grace_ends_by(policy, due_on, profile, holds=holds, period=period)


def next_due_on(policy: BillingPolicy, terms: RentTerms | None, on: date) -> date | None:
    """The next due date from a day on: of a lease, or of any that is due by the policy's day or the first.

    None where the lease has ended by then.
    """
    if terms is None:
        label, day = period_of(on), policy.due_day or 1
        this_month = due_date(label, day)
        return this_month if this_month >= on else due_date(following(label), day)
    first = max(on, terms.starts_on)
    periods = periods_between(terms.frequency, terms.starts_on, first - _REACH, first + _REACH)
    days = [
        due_on(terms, period, policy)
        for period in periods
        if terms.in_force(period.starts_on, period.ends_on)
    ]
    return min((day for day in days if day >= on), default=None)

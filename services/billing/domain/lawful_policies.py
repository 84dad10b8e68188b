"""Whether a billing policy is lawful where it says its property is."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

from services.billing.domain.fee_policy import fee_policy_of
from services.billing.domain.jurisdictions import Profile, UnlawfulPolicy, chosen, violations
from services.billing.domain.late_terms import LateTerms
from services.billing.domain.policies import BillingPolicy
from shared.documents import BadDocument, Mistake

SOME_RENT: Final = 100_000
"""What a policy is judged by where no lease has it yet."""

_NAMES: Final = {"rules": "late_fee_rules", "cap": "late_fee_cap"}


def profile_of(policy: BillingPolicy, profiles: Mapping[str, Profile]) -> Profile | None:
    """The profile that a policy chose; raises `BadDocument` where there is none of that name."""
    if policy.jurisdiction is None:
        return None
    found = chosen(profiles, policy.jurisdiction)
    if found is None:
        reason = f"{policy.jurisdiction!r} is none of {', '.join(profiles)}"
        raise BadDocument([Mistake("jurisdiction", reason)])
    return found


def refuse_unlawful_policy(
    policy: BillingPolicy, profiles: Mapping[str, Profile], *, on: date, rents: Collection[int] = ()
) -> None:
    """Raise `UnlawfulPolicy` where a policy could charge what its profile does not allow.

    It is judged for each of the rents. One without a profile, or that clamps, is never refused.
    Raises `BadDocument` where there is no profile of that name.
    """
    profile = profile_of(policy, profiles)
    if profile is None or policy.jurisdiction_mode == "clamp":
        return
    found: dict[Mistake, None] = {}
    for rent in sorted(set(rents)) or [SOME_RENT]:
        terms = LateTerms(
            due_on=on, rent_cents=rent, units=policy.units_in_structure, policy=fee_policy_of(policy)
        )
        for mistake in violations(profile, terms, allocation=policy.allocation):
            found.setdefault(Mistake(_name(mistake.path), mistake.reason))
    if found:
        raise UnlawfulPolicy(profile, list(found))


def _name(path: str) -> str:
    field, bracket, rest = path.partition("[")
    return f"{_NAMES.get(field, field)}{bracket}{rest}"

"""What the demo's landlord has agreed about billing: for everything, and otherwise at some properties."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from services.billing.domain.policy_book import Place
from services.billing.domain.policy_words import read_assignments
from services.billing.handlers.policies import keep_policy, plan_policy
from services.billing.store import LeaseStore
from shared.messaging.transaction import Transactions, Tx

PORTFOLIO: Final = ("grace_days=5", "late_fee_rules=flat:50", "late_fee_cap=lesser_of:50,5%")

PROPERTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "Maple Court": ("jurisdiction=new-york",),
    "Lakeshore Lofts": ("jurisdiction=chicago", "jurisdiction_mode=clamp"),
    "Bayview Terrace": ("allocation=rent_first", "nsf_fee=25"),
    "Palm Garden": ("late_fee_rules=percent_of_rent:2%+daily:5,max_days=10", "late_fee_cap=75"),
}
"""By name; Mesa Verde Homes has what holds for everything."""

SINCE: Final = date(2024, 1, 1)


async def agree(transactions: Transactions, *, since: date = SINCE) -> int:
    """Set these policies, from a day on; how many were not so already."""
    since = min(since, SINCE)
    async with transactions.command("demo.agree") as tx:
        names = await LeaseStore(tx.connection).property_names()
        places = {name: Place(identity) for identity, name in names.items()}
        changed = await _set(tx, Place(), PORTFOLIO, since)
        for name, words in PROPERTIES.items():
            changed += await _set(tx, places[name], words, since)
    return changed


async def _set(tx: Tx, place: Place, words: tuple[str, ...], since: date) -> int:
    planned = await plan_policy(tx.connection, place, since, read_assignments(words))
    if planned.change.repeats:
        return 0
    await keep_policy(tx, planned.change, reason="as in the leases", by="propman demo")
    return 1

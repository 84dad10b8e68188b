"""What a balance may be used for: asked for by somebody, or applied by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.rewards.domain.earning import fees_by_account, owed_by_account
from services.rewards.domain.facts import Facts, RentInvoice, Today
from services.rewards.domain.ledgers import Funds
from services.rewards.domain.policies import PolicyBook


@dataclass(frozen=True, slots=True)
class Use:
    """So much of a balance for one account."""

    account_id: UUID
    lease_id: UUID
    property_id: UUID
    currency: str
    amount_cents: int
    against: str


@dataclass(frozen=True, slots=True)
class Underway:
    """What was redeemed for accounts before."""

    on_their_way: Mapping[UUID, int]
    """Neither booked nor refused by billing yet."""
    restored_on: Mapping[UUID, date]
    """When a reward last came back: billing had no use for it, or somebody took it off the account."""


def uses_by_itself(
    tenant_id: UUID,
    facts: Facts,
    funds: Mapping[str, Funds],
    policies: PolicyBook,
    today: Today,
    so_far: Underway,
) -> list[Use]:
    """What of a tenant's balance is applied without anybody asking, account by account.

    An account is of the property of its last invoice, whose policy of today says whether and against what.
    After one came back it waits for the next invoice, so that nothing goes to and fro every night.
    """
    owed, fees = owed_by_account(facts), fees_by_account(facts)
    left = {currency: item.balance_cents for currency, item in funds.items()}
    found = []
    for account_id, last in sorted(_last_invoices(tenant_id, facts).items()):
        policy = policies.policy(last.property_id, today.at(last.property_id))
        restored_on = so_far.restored_on.get(account_id)
        if not policy.auto_apply or (restored_on is not None and restored_on >= last.issued_on):
            continue
        most = {"rent": owed[account_id], "fees": min(owed[account_id], fees.get(account_id, 0))}
        open_cents = most.get(policy.uses, 0) - so_far.on_their_way.get(account_id, 0)
        amount_cents = min(left.get(last.currency, 0), open_cents)
        if amount_cents > 0:
            left[last.currency] -= amount_cents
            ids = last.lease_id, last.property_id
            found.append(Use(account_id, *ids, last.currency, amount_cents, policy.uses))
    return found


def _last_invoices(tenant_id: UUID, facts: Facts) -> dict[UUID, RentInvoice]:
    """The newest invoice of each account that names the tenant, where it does."""
    found: dict[UUID, RentInvoice] = {}
    for invoice in facts.invoices:
        known = found.get(invoice.account_id)
        if not invoice.is_void and (known is None or _age(known) < _age(invoice)):
            found[invoice.account_id] = invoice
    return {key: invoice for key, invoice in found.items() if tenant_id in invoice.tenant_ids}


def _age(invoice: RentInvoice) -> tuple[date, date, str]:
    return invoice.issued_on, invoice.due_on, str(invoice.invoice_id)

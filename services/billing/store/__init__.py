"""All SQL of billing, one file per aggregate."""

from services.billing.store.autopay import AutopayStore
from services.billing.store.billed import BilledStore
from services.billing.store.charges import ChargeStore, WebhookStore
from services.billing.store.fees import FeeStore
from services.billing.store.holds import HoldStore
from services.billing.store.invoices import InvoiceStore
from services.billing.store.leases import LeaseStore
from services.billing.store.ledgers import LedgerStore
from services.billing.store.payments import PaymentStore
from services.billing.store.policies import PolicyStore
from services.billing.store.reminders import ReminderStore
from services.billing.store.repeating import RepeatStore
from services.billing.store.runs import RunStore

__all__ = [
    "AutopayStore",
    "BilledStore",
    "ChargeStore",
    "FeeStore",
    "HoldStore",
    "InvoiceStore",
    "LeaseStore",
    "LedgerStore",
    "PaymentStore",
    "PolicyStore",
    "ReminderStore",
    "RepeatStore",
    "RunStore",
    "WebhookStore",
]

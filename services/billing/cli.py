"""`propman billing`: what an operator does with invoices and payments."""

from services.billing.handlers import router
from services.billing.verbs import (
    audits,
    autopay,
    autopay_refunds,
    banking,
    collecting,
    explaining,
    generating,
    holds,
    invoice_reasons,
    invoices,
    jurisdictions,
    late_fee_quotes,
    late_fee_reasons,
    late_fees,
    ledgers,
    openapi,
    payment_reasons,
    payments,
    policies,
    quotes,
    reminders,
    reports,
    republishing,
    reversals,
    voiding,
)
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("billing", "Invoices, what is paid on them, and what is still owed.")
add_messaging_commands(app, router)

for subject in (
    audits,
    banking,
    collecting,
    generating,
    late_fee_quotes,
    late_fees,
    ledgers,
    openapi,
    payments,
    quotes,
    reminders,
    republishing,
    reports,
    reversals,
    voiding,
):
    subject.add_to(app)
autopay_refunds.add_to(autopay.app)
for reasons in (invoice_reasons, late_fee_reasons, payment_reasons):
    reasons.add_to(explaining.app)
for noun in (autopay.app, holds.app, invoices.app, jurisdictions.app, policies.app, explaining.app):
    app.add_typer(noun)

"""`propman billing`: what an operator does with invoices and payments."""

from services.billing.handlers import router
from services.billing.verbs import (
    generating,
    invoices,
    late_fee_quotes,
    late_fees,
    payments,
    policies,
    quotes,
    reversals,
    voiding,
)
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("billing", "Invoices, what is paid on them, and what is still owed.")
add_messaging_commands(app, router)

for subject in (
    generating,
    late_fee_quotes,
    late_fees,
    payments,
    quotes,
    reversals,
    voiding,
):
    subject.add_to(app)
app.add_typer(invoices.app)
app.add_typer(policies.app)

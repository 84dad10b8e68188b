"""What billing does on each message. One function per message; the rules are in `domain`."""

from services.billing.handlers import autopay, copies, invoices, late_fees, reminders, weather_holds
from shared.messaging.router import Router

router = Router("billing")
for subject in (autopay, copies, invoices, late_fees, reminders, weather_holds):
    router.include(subject.router)

"""What billing does on each message. One function per message; the rules are in `domain`."""

from services.billing.handlers import autopay, copies, invoices, late_fees, reminders, rewards, weather_holds
from services.billing.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.contracts.billing import CleanUp
from shared.messaging.router import Router

router = Router("billing")
router.include(cleaning_router("billing", CleanUp, SWEEPS))
for subject in (autopay, copies, invoices, late_fees, reminders, rewards, weather_holds):
    router.include(subject.router)

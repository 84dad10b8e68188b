"""What billing does on each message. One function per message; the rules are in `domain`."""

from services.billing.handlers import autopay, copies, invoices, late_fees, weather_holds
from shared.messaging.router import Router

router = Router("billing")
router.include(autopay.router, copies.router, invoices.router, late_fees.router, weather_holds.router)

"""What weather does on each message. One function per message; the rules are in `domain`."""

from services.weather.handlers import checks, copies
from services.weather.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.contracts.weather import CleanUp
from shared.messaging.router import Router

router = Router("weather")
router.include(copies.router, checks.router, cleaning_router("weather", CleanUp, SWEEPS))
"""Everything weather listens to."""

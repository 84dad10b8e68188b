"""What weather does on each message. One function per message; the rules are in `domain`."""

from services.weather.handlers import checks, copies
from shared.messaging.router import Router

router = Router("weather")
router.include(copies.router, checks.router)
"""Everything weather listens to."""

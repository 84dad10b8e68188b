"""What rewards does on each message. One function per message; the rules are in `domain`."""

from services.rewards.handlers import copies, evaluating, facts, redeeming
from services.rewards.store.cleaning import SWEEPS
from shared.cleaning import cleaning_router
from shared.contracts.rewards import CleanUp
from shared.messaging.router import Router

router = Router("rewards")
for subject in (copies, facts, evaluating, redeeming):
    router.include(subject.router)
router.include(cleaning_router("rewards", CleanUp, SWEEPS))
"""Everything rewards listens to."""

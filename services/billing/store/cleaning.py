"""What of billing is only history.

Invoices, payments, reminders and webhook events never are: each is a key that keeps something from
happening twice.
"""

from typing import Final

import sqlalchemy as sa

from services.billing.schema import runs
from shared.cleaning import HORIZON
from shared.sweeping import Sweep

SWEEPS: Final = (
    Sweep(
        kind="runs",
        table=runs,
        old=lambda before: runs.c.started_at < before,
        needed=lambda before: sa.func.coalesce(runs.c.finished_at >= before, sa.true()),
        failure=runs.c.failed > 0,
        # The run's row is what keeps a trigger that comes again from being worked off again.
        floor=HORIZON,
    ),
)

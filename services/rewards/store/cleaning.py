"""What of rewards is only history. Facts and the ledger never are: everything is replayed from them."""

from typing import Final

import sqlalchemy as sa

from services.rewards.schema import runs
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

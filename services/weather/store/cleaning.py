"""What of weather is only history. Incidents stay: a closed one keeps old news from raising it again."""

from typing import Final

import sqlalchemy as sa

from services.weather.schema import answers, observations, runs
from shared.cleaning import HORIZON
from shared.sweeping import Sweep

SWEEPS: Final = (
    Sweep(
        kind="runs",
        table=runs,
        old=lambda before: runs.c.started_at < before,
        needed=lambda before: sa.func.coalesce(runs.c.finished_at >= before, sa.true()),
        failure=runs.c.failed > 0,
        floor=HORIZON,
    ),
    # Of places that are watched there is nothing old: what is measured and forecast is replaced each time.
    Sweep(
        kind="observations",
        table=observations,
        old=lambda before: observations.c.fetched_at < before,
    ),
    Sweep(kind="answers", table=answers, old=lambda before: answers.c.last_at < before),
)

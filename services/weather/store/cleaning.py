"""What of weather is only history. Incidents stay: a closed one keeps old news from raising it again."""

from typing import Final

from services.weather.schema import answers, observations, runs
from shared.cleaning import sweep_of_runs
from shared.sweeping import Sweep

SWEEPS: Final = (
    sweep_of_runs(runs),
    # Of places that are watched there is nothing old: what is measured and forecast is replaced each time.
    Sweep(
        kind="observations",
        table=observations,
        old=lambda before: observations.c.fetched_at < before,
    ),
    Sweep(kind="answers", table=answers, old=lambda before: answers.c.last_at < before),
)

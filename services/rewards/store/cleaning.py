"""What of rewards is only history. Facts and the ledger never are: everything is replayed from them."""

from typing import Final

from services.rewards.schema import runs
from shared.cleaning import sweep_of_runs

SWEEPS: Final = (sweep_of_runs(runs),)

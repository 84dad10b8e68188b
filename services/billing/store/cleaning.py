"""What of billing is only history.

Invoices, payments, reminders and webhook events never are: each is a key that keeps something from
happening twice.
"""

from typing import Final

from services.billing.schema import runs
from shared.cleaning import sweep_of_runs

SWEEPS: Final = (sweep_of_runs(runs),)

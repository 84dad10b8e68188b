"""`python -m services.billing`: the same commands as `propman billing`."""

from services.billing.cli import app
from shared.cli import main

main(app, prog_name="python -m services.billing")

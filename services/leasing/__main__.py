"""`python -m services.leasing`: the same commands as `propman leasing`."""

from services.leasing.cli import app
from shared.cli import main

main(app, prog_name="python -m services.leasing")

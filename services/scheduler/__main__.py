"""`python -m services.scheduler`: the same commands as `propman scheduler`."""

from services.scheduler.cli import app
from shared.cli import main

main(app, prog_name="python -m services.scheduler")

"""`python -m services.notifications`: the same commands as `propman notifications`."""

from services.notifications.cli import app
from shared.cli import main

main(app, prog_name="python -m services.notifications")

"""`python -m services.rewards`: the same commands as `propman rewards`."""

from services.rewards.cli import app
from shared.cli import main

main(app, prog_name="python -m services.rewards")

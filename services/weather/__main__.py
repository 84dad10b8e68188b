"""`python -m services.weather`: the same commands as `propman weather`."""

from services.weather.cli import app
from shared.cli import main

main(app, prog_name="python -m services.weather")

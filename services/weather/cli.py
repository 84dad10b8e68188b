"""`propman weather`: what an operator does with alerts, incidents and thresholds."""

from services.weather.handlers import router
from services.weather.verbs import checking, incidents, observations, thresholds
from services.weather.verbs.replay import replay
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("weather", "Dangerous weather: who is warned of what, and why.")
add_messaging_commands(app, router)
app.command("check-weather-alerts")(checking.check_weather_alerts)
app.command("observations")(observations.observations)
app.command("replay")(replay)
app.add_typer(incidents.app, name="incidents")
app.add_typer(thresholds.app, name="thresholds")

"""`propman leasing`: what a landlord says about properties, units, tenants and leases."""

from services.leasing.handlers import router
from services.leasing.verbs import leases, portfolio, properties, tenants, units
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("leasing", "Properties, units, tenants and the leases that bind them.")
add_messaging_commands(app, router)

portfolio.add_to(app)
for noun in (properties.app, units.app, tenants.app, leases.app):
    app.add_typer(noun)

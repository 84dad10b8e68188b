"""`propman leasing`: what a landlord says about properties, units, tenants, leases and work orders."""

from services.leasing.handlers import router
from services.leasing.verbs import (
    leases,
    openapi,
    portfolio,
    properties,
    signing,
    signing_overview,
    tenants,
    units,
    work_orders,
)
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("leasing", "Properties, units, tenants, the leases that bind them, and work orders.")
add_messaging_commands(app, router)

portfolio.add_to(app)
openapi.add_to(app)
signing_overview.add_to(app, signing.app)
for noun in (properties.app, units.app, tenants.app, leases.app, signing.app, work_orders.app):
    app.add_typer(noun)

"""`propman billing openapi`."""

from shared.cli import App, print_json


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(openapi)


def openapi() -> None:
    r"""Print the OpenAPI 3.1 document: what billing takes over HTTP from payment gateways.

    \b
    Example:
      propman billing openapi > billing.openapi.json
    """
    from services.billing.api import openapi_document  # noqa: PLC0415 - starlette costs what no other command needs

    print_json(openapi_document())

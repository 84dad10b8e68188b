"""`propman leasing openapi`."""

from shared.cli import App, print_json


def add_to(app: App) -> None:
    """Give leasing's app its command."""
    app.command()(openapi)


def openapi() -> None:
    r"""Print the OpenAPI 3.1 document: the page behind a signing link.

    \b
    Example:
      propman leasing openapi > leasing.openapi.json
    """
    from services.leasing.openapi import openapi_document  # noqa: PLC0415 - starlette costs what no other command needs

    print_json(openapi_document())

"""The commands every service has because it sends and receives messages."""

from typing import TYPE_CHECKING

from shared.cli import App, print_json
from shared.messaging.router import Router

if TYPE_CHECKING:
    from collections.abc import Callable


def add_messaging_commands(app: App, router: Router) -> None:
    """Give a service's app the verbs that follow from its router."""

    def asyncapi() -> None:
        r"""Print the AsyncAPI 3 document: which messages this service sends and takes.

        \b
        Example:
          propman billing asyncapi > billing.asyncapi.json
        """
        # FastStream costs half a second that no other command should pay for.
        from shared.messaging.asyncapi import asyncapi_document  # noqa: PLC0415

        description = str(app.info.help or "")
        print_json(asyncapi_document(router, version="1", description=description))

    register: Callable[..., object] = app.command("asyncapi")
    register(asyncapi)

"""The operator's verbs: what was sent to whom, what became of it, and telling people something."""

from services.notifications.handlers import router
from services.notifications.verbs import (
    contacts,
    groups,
    history,
    inbox,
    preferences,
    sending,
    suppressions,
    templates,
)
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app(
    "notifications", "What people are told: by e-mail, text, in the app; and what became of it."
)
add_messaging_commands(app, router)

history.add_to(app)
inbox.add_to(app)
sending.add_to(app)
templates.add_to(app)
for noun in (contacts.app, groups.app, preferences.app, suppressions.app, templates.app):
    app.add_typer(noun)

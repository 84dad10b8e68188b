"""`propman rewards`: what an operator does with policies, balances and grants."""

from services.rewards.handlers import router
from services.rewards.verbs import calculating, deciding, explaining, ledgers, policies
from shared.cli import service_app
from shared.messaging.commands import add_messaging_commands

app = service_app("rewards", "What tenants are granted for paying on time or ahead, and what became of it.")
add_messaging_commands(app, router)
for subject in (calculating, deciding, explaining, ledgers):
    subject.add_to(app)
app.add_typer(policies.app, name="policy")

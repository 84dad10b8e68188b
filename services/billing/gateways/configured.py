"""The gateways that the settings ask for, and no other: none is ever chosen silently."""

from services.billing.gateways.payment_gateway import PaymentGateway
from services.billing.gateways.simulated import SimulatedGateway
from services.billing.gateways.stripe import StripeGateway
from services.billing.settings import Settings
from shared.clock import Clock, is_simulated


def configured_gateways(settings: Settings, clock: Clock) -> dict[str, PaymentGateway]:
    """By name, as enrolments call them; in a simulation only the one that moves no money."""
    if is_simulated(clock):
        simulated = SimulatedGateway(clock)
        return {simulated.name: simulated}
    found: list[PaymentGateway] = []
    if settings.stripe_secret_key is not None:
        found.append(
            StripeGateway(settings.stripe_secret_key.get_secret_value(), base_url=settings.stripe_url)
        )
    if settings.autopay_simulated:
        found.append(SimulatedGateway(clock))
    return {gateway.name: gateway for gateway in found}

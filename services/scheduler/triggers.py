"""Which triggers there are, what a schedule may say in them, and who is expected to answer.

The triggers are the contracts in `shared.contracts.scheduler`: a new one needs no change here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from services.scheduler.domain.occurrences import Occurrence
from shared.contracts import scheduler as contracts
from shared.contracts.base import Trigger, message_types

EXPECTED: Final = {
    contracts.MonthlyBillingDue.topic: ("billing",),
    contracts.LateFeesDue.topic: ("billing",),
    contracts.PaymentRemindersDue.topic: ("billing",),
    contracts.AutopayDue.topic: ("billing",),
    contracts.WeatherCheckDue.topic: ("weather",),
    contracts.RewardsDue.topic: ("rewards",),
    contracts.CleanupDue.topic: ("billing", "leasing", "notifications", "scheduler", "weather", "rewards"),
    contracts.SigningLinkExpiryDue.topic: ("leasing",),
}
"""The services whose outcome a trigger waits for, unless its schedule says otherwise."""


_SAMPLE: Final = {
    "occurrence_id": UUID(int=0),
    "schedule_key": "sample",
    "as_of": datetime(2026, 1, 1, tzinfo=UTC),
}
"""What every trigger says, to check the rest of a payload with before there is an occurrence."""


class UnknownTrigger(ValueError):
    """There is no trigger of that name; says which there are."""


class InvalidPayload(ValueError):
    """A trigger cannot carry what a schedule wants it to, with the reason."""


def known_triggers() -> dict[str, type[Trigger]]:
    """Every trigger the scheduler may announce, by topic."""
    declared = (contract for contract in message_types(Trigger) if contract.__module__ == contracts.__name__)
    return {contract.topic: contract for contract in declared if issubclass(contract, Trigger)}


def spoken_name(topic: str) -> str:
    """A topic as people type it: `monthly-billing-due`."""
    return topic.split(".")[1].replace("_", "-")


def trigger_named(name: str) -> type[Trigger]:
    """A trigger by topic, class name, or as people type it (`due` may be left out)."""
    known = known_triggers()
    wanted = _folded(name)
    for topic, contract in known.items():
        full = _folded(contract.__name__)
        if name == topic or wanted in (full, full.removesuffix("due")):
            return contract
    listed = ", ".join(spoken_name(topic) for topic in known)
    raise UnknownTrigger(f"There is no trigger {name!r}; there are: {listed}")


def expected_consumers(topic: str) -> tuple[str, ...]:
    """Who is to answer a trigger."""
    return EXPECTED.get(topic, ())


def payload_fields(contract: type[Trigger]) -> list[str]:
    """What a schedule may set in a trigger, beside what every trigger says."""
    return [name for name in contract.model_fields if name not in Trigger.model_fields]


def checked_payload(contract: type[Trigger], payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload as it is kept: only known fields, each as its contract reads it."""
    allowed = payload_fields(contract)
    if strange := sorted(set(payload) - set(allowed)):
        raise InvalidPayload(
            f"{contract.__name__} has no field {', '.join(strange)}; it has: {', '.join(allowed) or 'none'}"
        )
    try:
        message = contract.model_validate({**_SAMPLE, **payload})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidPayload(f"{first['loc'][0]}: {first['msg']}, not {first['input']!r}") from error
    return message.model_dump(mode="json", include=set(payload))


def announcement(occurrence: Occurrence) -> Trigger:
    """The trigger that says an occurrence has come."""
    contract = trigger_named(occurrence.trigger)
    return contract.model_validate(
        {
            **checked_payload(contract, occurrence.payload),
            "occurrence_id": occurrence.id,
            "schedule_key": occurrence.schedule_key,
            "as_of": occurrence.scheduled_for,
            "zone": occurrence.zone,
            "origin": occurrence.origin,
            "dry_run": occurrence.dry_run,
        }
    )


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())

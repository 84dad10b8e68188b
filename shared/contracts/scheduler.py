"""What the scheduler says (a time has come) and what it hears back (what came of it)."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Fact, Instant, Period, Trigger
from shared.contracts.cleaning import CleaningStep


class LocalTrigger(Trigger):
    """A time that comes at each place by itself: the work of it can be done zone by zone."""

    only_zone: str | None = None
    """Only properties in this IANA time zone; without it all, whichever zone they are in."""


class MonthlyBillingDue(LocalTrigger, subject="occurrence_id"):
    """Rent is to be invoiced; without a period, for the month it is at each property at `as_of`."""

    period: Period | None = None
    property_id: UUID | None = None


class LateFeesDue(LocalTrigger, subject="occurrence_id"):
    """Overdue invoices are to be judged, each at the date it is at its property at `as_of`."""

    property_id: UUID | None = None


class PaymentRemindersDue(LocalTrigger, subject="occurrence_id"):
    """Tenants are to be reminded of what is due, or overdue, at the date it is at each property."""

    property_id: UUID | None = None
    days_before: int | None = Field(default=None, ge=0, le=60)
    """Only this stage before the due date, instead of the policies' stages."""
    days_after: int | None = Field(default=None, ge=0, le=365)
    """Only this stage after the due date, instead of the policies' stages."""


class AutopayDue(LocalTrigger, subject="occurrence_id"):
    """What is due today and is paid by autopay is to be charged."""

    property_id: UUID | None = None


class RewardsDue(LocalTrigger, subject="occurrence_id"):
    """Tenants' records are to be replayed, and their reward ledgers made to say what they earned."""

    property_id: UUID | None = None
    """Only those who were ever billed there."""
    tenant_id: UUID | None = None
    period: Period | None = None
    """Only what is of this month is granted or revoked."""


class WeatherCheckDue(Trigger, subject="occurrence_id"):
    """Weather is to be asked for: official alerts, or what is measured and forecast."""

    check: Literal["alerts", "conditions"] = "alerts"
    property_id: UUID | None = None


class CleanupDue(Trigger, subject="occurrence_id"):
    """What is only history is to be removed; every service answers with what it removed and what it kept."""

    older_than_days: int = Field(default=30, ge=1, le=36_500)
    """Counted back from `as_of`. What a redelivery or a dedupe key may still need is kept for longer."""
    failures_only: bool = False
    """Only what tells of a failure: runs, deliveries and dead letters that ended badly."""


class SigningLinkExpiryDue(Trigger, subject="occurrence_id"):
    """Signing links that have run out are to be expired, and signers of those that soon will, reminded."""

    days: int | None = Field(default=None, ge=1, le=365)
    """Also those that were issued so many days ago or earlier; one that has run out stays so."""


class TriggerStarted(Fact, subject="occurrence_id"):
    """A consumer has taken up the work of a trigger; what is done at once only says its outcome."""

    occurrence_id: UUID
    trigger: str
    """The trigger's topic."""
    consumer: str
    started_at: Instant


class TriggerOutcome(Fact, subject="occurrence_id"):
    """What a consumer did with a trigger: said when all of its work is done.

    Also said where a message of that work was given up and became a dead letter: it has failed, until a
    replay completes the work and says otherwise. Of two, the one that finished later holds.
    """

    occurrence_id: UUID
    trigger: str
    """The trigger's topic; empty where it failed in a later message, which does not name it."""
    consumer: str
    state: Literal["succeeded", "partial", "failed"]
    counts: dict[str, int] = Field(default_factory=dict)
    """For example examined, created, skipped, failed."""
    problems: tuple[str, ...] = ()
    """The first few reasons of items that failed; ids and reasons, never personal data."""
    finished_at: Instant
    parts: dict[str, dict[str, int]] = Field(default_factory=dict)
    """The counts of each kind of thing, where the work was on several."""


class ServiceReported(Fact, subject="service"):
    """What a service says of itself, once a minute: nobody else may look into its database."""

    service: str
    said_at: Instant
    """By the machine's clock, also where time is simulated."""
    processes: int
    """How many of its processes are alive."""
    lost: int = 0
    """How many fell silent within a day without a goodbye, and nothing has been started in their place."""
    outbox: int = 0
    """How many messages wait to be published."""
    outbox_oldest_seconds: int = 0
    """For how long the oldest of them waits that nothing is known to be wrong with."""
    unroutable: int = 0
    """How many of them have to be heard, and no queue takes them."""
    dead_letters: int = 0
    """How many messages could not be handled, and nobody has decided about."""
    queues: tuple[str, ...] = ()
    """The queues it takes from."""


class AlertFact(Fact):
    """What an alert of the watchdog is about. It names schedules and services, never people."""

    alert_id: UUID
    alert_kind: str
    """Such as not_published or failed; `propman scheduler alerts --help` lists them."""
    about: str
    """The key of a schedule, or a service."""
    detail: str
    raised_at: Instant


class AlertRaised(AlertFact, subject="alert_id"):
    """Something is wrong that was well before; said once until it is over."""


class AlertAcknowledged(AlertFact, subject="alert_id"):
    """Somebody has seen to it; it goes on until nothing is wrong any more."""

    acknowledged_at: Instant


class AlertResolved(AlertFact, subject="alert_id"):
    """It is well again, by whatever anybody did."""

    resolved_at: Instant


class CleanUp(CleaningStep, subject="occurrence_id"):
    """One more step of removing what is only history."""

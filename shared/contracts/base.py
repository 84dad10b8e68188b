"""What every message has in common: its kind, its owner, its version, and the key it travels under."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from typing_extensions import override

Kind = Literal["fact", "command", "trigger"]

Instant = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""An aware moment, normalised to UTC."""

Period = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
"""A calendar month of the property, "2026-09"."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

Cents = Annotated[int, Field(strict=True)]
"""Money in integer minor units of the currency beside it."""

_WORD_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Part(BaseModel):
    """A value inside a message, such as a line of an invoice."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(Part):
    """A message on the wire. Fields are added optional; anything else is a new version.

    The owner is the module a contract is declared in (`shared.contracts.billing`), so that a
    contract can never name somebody else's exchange keys by mistake.
    """

    kind: ClassVar[Kind]
    owner: ClassVar[str]
    topic: ClassVar[str]
    """The routing key, `<owner>.<snake_case_name>.v<major>`; also the CloudEvents type."""
    must_be_heard: ClassVar[bool] = False
    """Whether a message that no queue is bound to is an error (triggers and commands) or only counted."""
    subject_field: ClassVar[str]
    """The field that holds the id of the aggregate this message is about."""

    @override
    def __init_subclass__(cls, **_options: Any) -> None:
        """Let a contract say its subject, name and version in its class line."""
        super().__init_subclass__()

    @classmethod
    @override
    def __pydantic_init_subclass__(
        cls, *, subject: str | None = None, name: str | None = None, version: int = 1, **kwargs: Any
    ) -> None:
        """Give each concrete contract its owner and its topic."""
        super().__pydantic_init_subclass__(**kwargs)
        if subject is None:
            return
        if subject not in cls.model_fields:
            message = f"{cls.__name__}: subject {subject!r} is not one of its fields"
            raise TypeError(message)
        cls.owner = cls.__module__.rsplit(".", maxsplit=1)[-1]
        cls.subject_field = subject
        words = _WORD_BOUNDARY.sub("_", name or cls.__name__).lower()
        cls.topic = f"{cls.owner}.{words}.v{version}"

    @property
    def subject(self) -> str:
        """The id of the aggregate this message is about, as text."""
        return str(getattr(self, self.subject_field))


class Fact(Message):
    """Something that has happened, in the past tense. Anybody may listen; nobody has to."""

    kind = "fact"


class Command(Message):
    """An order of a service to itself, imperative: one piece of a larger work."""

    kind = "command"
    must_be_heard = True


class RunStep(Command):
    """One piece of a run; its subject is the run, whose id is that of the occurrence it carries out."""


class Trigger(Message):
    """A time has come. Every consumer answers with `TriggerOutcome`."""

    kind = "trigger"
    must_be_heard = True

    occurrence_id: UUID
    """The scheduler's occurrence; the same one is never announced under two ids."""
    schedule_key: str
    as_of: Instant
    """The instant the work is to be done for; handlers read no clock."""
    zone: str = "UTC"
    origin: Literal["schedule", "catch_up", "manual", "backfill"] = "schedule"
    dry_run: bool = False


def message_types(base: type[Message] = Message) -> list[type[Message]]:
    """Every concrete contract imported so far, in the order of their topics."""
    found: dict[str, type[Message]] = {}
    for child in base.__subclasses__():
        if "topic" in child.__dict__:
            found[child.topic] = child
        found.update({inner.topic: inner for inner in message_types(child)})
    return [found[topic] for topic in sorted(found)]


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC; refuses a naive one."""
    if moment.tzinfo is None:
        message = f"{moment!r} has no time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)

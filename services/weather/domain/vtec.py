"""Valid Time Event Codes: the identity of a hazard that outlives each message about it (NWSI 10-1703)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_PATTERN: Final = re.compile(
    r"^/([OTEX])\.([A-Z]{3})\.([A-Z]{4})\.([A-Z]{2})\.([A-Z])\.(\d{4})"
    r"\.(\d{6}T\d{4}Z)-(\d{6}T\d{4}Z)/$"
)
_OPEN_END: Final = "000000T0000Z"
"""As a beginning: under way. As an end: until further notice."""

ENDING: Final = frozenset({"CAN", "EXP", "UPG"})
"""The actions that end a hazard for the zones they name."""


class BadVtec(ValueError):
    """Text that is no VTEC."""


@dataclass(frozen=True, slots=True)
class Vtec:
    """One code. `office`, `phenomenon`, `significance` and `number` name the event within a year."""

    product_class: str
    """O operational, T test, E and X experimental."""
    action: str
    office: str
    phenomenon: str
    significance: str
    number: int
    begins_at: datetime | None
    ends_at: datetime | None

    @property
    def event(self) -> str:
        """What stays the same from the first message to the last: `KMOB.TO.A.0641`."""
        return f"{self.office}.{self.phenomenon}.{self.significance}.{self.number:04d}"

    @property
    def ends(self) -> bool:
        """Whether it says that the hazard is over for its zones."""
        return self.action in ENDING


def parse_vtec(text: str) -> Vtec:
    """Read one code; raises `BadVtec`."""
    found = _PATTERN.match(text.strip())
    if found is None:
        raise BadVtec(f"{text!r} is not a VTEC")
    product, action, office, phenomenon, significance, number, begins, ends = found.groups()
    return Vtec(
        product, action, office, phenomenon, significance, int(number), _moment(begins), _moment(ends)
    )


def _moment(text: str) -> datetime | None:
    if text == _OPEN_END:
        return None
    try:
        return datetime.strptime(text, "%y%m%dT%H%MZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadVtec(f"{text!r} is not a VTEC time") from error

"""The signer's page: a lease as its signer reads it, and what has become of their link; no script."""

import base64
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.leasing.domain.signed_content import read_document
from services.leasing.domain.signing import ASKING_AGAIN, Held, may_ask, state_at
from shared.clock import zone

FOLDER: Final = Path(__file__).parent / "templates"
LANGUAGES: Final = ("en", "es")
FALLBACK: Final = "en"

_SHORTEST_MONTH: Final = 28
_LOCALES: Final = {"en": Locale("en", "US"), "es": Locale("es", "US")}
_MOMENTS: Final = {"en": "EEEE, MMMM d, y, h:mm a zzzz", "es": "EEEE d 'de' MMMM 'de' y, HH:mm zzzz"}
_STYLE: Final = (FOLDER / "style.css").read_text(encoding="utf-8")
STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
"""By which a browser knows our style from one that somebody slipped in (CSP level 2)."""

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(FOLDER),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def language_of(locale: str) -> str:
    """The language a page is written in for a locale."""
    spoken = locale.replace("_", "-").partition("-")[0].lower()
    return spoken if spoken in LANGUAGES else FALLBACK


@cache
def words_of(language: str) -> Mapping[str, str]:
    """All that a page says in a language."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """A form that came back with something missing: what was given, and what is wrong with which field."""

    name: str = ""
    consent: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, as the key of a sentence, by field: `name`, `consent` or `terms`."""


def page_of(held: Held, at: datetime, attempt: Attempt | None = None) -> str:
    """What a link shows at a moment."""
    speech = _Speech(language_of(held.signer.locale))
    state = state_at(held.link, at)
    if state == "pending":
        return _open(speech, held, attempt or Attempt())
    return _signed(speech, held, at) if state == "signed" else _closed(speech, held, at)


def notice(name: str, language: str) -> str:
    """A page that says one thing of nobody in particular: unknown, slow, refused or failed."""
    speech = _Speech(language)
    return speech.render(
        "closed.html",
        heading=speech.words[name],
        text=speech.words[f"{name}_says"],
        asked=False,
        may_ask=False,
    )


def _open(speech: "_Speech", held: Held, attempt: Attempt) -> str:
    document = read_document(held.request.document)
    said = {"name": held.signer.name, "unit": document["unit"], "property": document["property"]}
    return speech.render(
        "open.html",
        greeting=speech.say(f"greeting_{held.signer.role}", **said),
        until=speech.say("until", moment=speech.moment(held.link.expires_at, held)),
        terms=list(_terms(speech, document)),
        content_hash=held.request.content_hash,
        name_hint=speech.say("name_hint", name=held.signer.name),
        given={"name": attempt.name, "consent": attempt.consent},
        errors={name: speech.words[word] for name, word in attempt.errors.items()},
    )


def _signed(speech: "_Speech", held: Held, at: datetime) -> str:
    """The terms are shown for as long as the link would have been good, and to nobody after that."""
    signer, document = held.signer, read_document(held.request.document)
    return speech.render(
        "signed.html",
        signed_at=speech.say(
            "signed_at",
            name=signer.signed_name,
            moment=speech.moment(signer.signed_at or held.link.expires_at, held),
        ),
        complete=held.request.state == "signed",
        terms=list(_terms(speech, document)) if at < held.link.expires_at else [],
        content_hash=held.request.content_hash,
    )


def _closed(speech: "_Speech", held: Held, at: datetime) -> str:
    """Why a link opens nothing any more; nothing of the lease is on it."""
    link, state = held.link, state_at(held.link, at)
    name = str(link.reason) if state == "revoked" else state
    closed_at = link.closed_at or link.expires_at
    moment = closed_at if state == "replaced" else min(link.expires_at, closed_at)
    return speech.render(
        "closed.html",
        heading=speech.words[state],
        text=speech.say(f"{name}_says", moment=speech.moment(moment, held)),
        asked=link.asked_at is not None and at < link.asked_at + ASKING_AGAIN,
        may_ask=may_ask(held, at),
    )


class _Speech:
    """One language: its words, its money and its dates."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.words = words_of(language)
        self._locale = _LOCALES[language]

    def render(self, template: str, **values: Any) -> str:
        return _ENVIRONMENT.get_template(template).render(
            lang=self.language,
            words=self.words,
            style=_STYLE,
            **values,
        )

    def say(self, key: str, /, **values: object) -> str:
        return self.words[key].format_map(values)

    def money(self, cents: int, currency: str) -> str:
        return format_currency(Decimal(cents) / 100, currency, locale=self._locale)

    def day(self, text: str) -> str:
        return format_date(date.fromisoformat(text), "long", locale=self._locale)

    def month(self, period: str) -> str:
        return format_skeleton("yMMMM", date.fromisoformat(f"{period}-01"), locale=self._locale)

    def moment(self, at: datetime, held: Held) -> str:
        """On the clock of the property, and which clock that is."""
        place = zone(held.request.time_zone)
        return format_datetime(at, _MOMENTS[self.language], tzinfo=place, locale=self._locale)


def _terms(speech: _Speech, said: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The lease, a row for each thing that is agreed."""
    words = speech.words
    yield words["property"], [said["property"]]
    if said["address"]:
        yield words["address"], [said["address"]]
    yield words["unit"], [said["unit"]]
    yield words["tenants"], list(said["tenants"])
    if said["landlords"]:
        yield words["landlords"], list(said["landlords"])
    yield words["starts"], [speech.day(said["starts_on"])]
    yield words["ends"], [speech.day(said["ends_on"]) if said["ends_on"] else words["open_end"]]
    if said["ends_on"]:
        yield words["then"], [words["then_rolls" if said["rolls_over"] else "then_ends"]]
    yield words["rent"], list(_rents(speech, said))
    due = "monthly_late" if said["due_day"] > _SHORTEST_MONTH else said["frequency"]
    yield words["due"], [speech.say(f"due_{due}", day=said["due_day"])]
    if said["free_periods"]:
        yield words["free"], [speech.month(period) for period in said["free_periods"]]
    if said["charges"]:
        yield words["charges"], [_charge(speech, charge, said) for charge in said["charges"]]


def _rents(speech: _Speech, said: Mapping[str, Any]) -> Iterator[str]:
    def rent(cents: int) -> str:
        return speech.say(said["frequency"], amount=speech.money(cents, said["currency"]))

    yield rent(said["rent_cents"])
    for change in said["rent_changes"]:
        day = speech.day(change["effective_on"])
        yield speech.say("rent_from", day=day, rent=rent(change["rent_cents"]))


def _charge(speech: _Speech, charge: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    once = charge["frequency"] == "once"
    amount = speech.money(charge["amount_cents"], said["currency"])
    parts = [speech.say(f"charge_{charge['frequency']}", what=charge["description"], amount=amount)]
    begins = charge["starts_on"] or (said["starts_on"] if once else None)
    if begins:
        parts.append(speech.say("charge_on" if once else "charge_from", day=speech.day(begins)))
    if charge["ends_on"] and not once:
        parts.append(speech.say("charge_to", day=speech.day(charge["ends_on"])))
    return " ".join(parts)

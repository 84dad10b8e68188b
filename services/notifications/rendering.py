"""From a template and a notice's numbers to what a person reads. A tenant's data is never a template."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    get_timezone,
    get_timezone_name,
)
from babel.numbers import format_currency, format_percent
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound, meta, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

FOLDER: Final = Path(__file__).parent / "templates"
FALLBACK: Final = "en"
LOCALES: Final = ("en", "es")
"""The languages every message is written in."""

PARTS: Final = ("subject", "txt", "sms")
"""The files of a message; its HTML is made from its text where it brings none of its own."""

GIVEN: Final = frozenset({"tenant_name", "property_name", "home", "today", "zone", "lang", "locale"})
"""What every template may use beside its own context."""

_AT_HOME: Final = {"en": "en_US", "es": "es_US"}
"""A language without a country is read as it is written where our tenants live."""

_ISO: Final = re.compile(r"\b\d{4}-\d{2}(?P<day>-\d{2})?\b")
_SPACES: Final = re.compile("[\u00a0\u202f]")
"""What CLDR puts before AM; a text message has no letter for it."""

_ROW: Final = re.compile(r"^ {2,}(?P<label>[^:\n]{1,60}): (?P<value>.+)$")


class NotRenderable(Exception):
    """A template that is missing, wrong, or was not given all it needs: a defect of ours."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message, for every channel."""

    subject: str
    text: str
    html: str
    sms: str = ""
    version: str = ""
    """Which state of the template it was made from."""
    secret: str = ""
    """What is in it for its reader alone, and is not kept."""


class Templates:
    """The templates of all locales; one that a language lacks is taken from English."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Reads each template when it is first needed."""
        self.folder = folder
        self._environment = SandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {
            "money": money,
            "percent": _percent,
            "day": _day,
            "month": _month,
            "moment": _moment,
            "zone_name": _zone_name,
            "dated": _dated,
            "rows": rows,
        }
        self._versions: dict[tuple[str, str], str] = {}

    def render(self, template: str, locale: str, values: Mapping[str, Any]) -> Rendered:
        """Subject, text, HTML and text message; raises `NotRenderable` rather than leave a gap."""
        given = {**values, "locale": locale, "lang": self.language(template, locale)}
        given["said"] = defaultdict(lambda: None, values)  # what of it is there; the others are just absent
        try:
            subject = " ".join(self._part(template, "subject", locale, given).split())
            text = self._part(template, "txt", locale, given)
            return Rendered(
                subject=subject,  # a header is one line, whatever a name contains
                text=text,
                html=self._html(template, locale, given, subject, text),
                sms=self._part(template, "sms", locale, given).strip(),
                version=self.version(template, given["lang"]),
            )
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            message = f"{template}: {type(error).__name__}: {error}"
            raise NotRenderable(message) from error

    def render_digest(self, items: Sequence[Rendered], locale: str, values: Mapping[str, Any]) -> Rendered:
        """Several messages to one person as one; what closes each of them is not said again and again."""
        messages = [{"subject": item.subject, "text": self._without_foot(item.text)} for item in items]
        return self.render("digest", locale, {**values, "messages": messages})

    def _without_foot(self, text: str) -> str:
        for foot in sorted(self.folder.glob("*/foot.txt")):
            text = text.strip().removesuffix(foot.read_text(encoding="utf-8").strip())
        return text.strip()

    def page(self, name: str, locale: str, values: Mapping[str, Any]) -> str:
        """A page that a browser shows."""
        language = next(iter(_folders(locale)))
        lang = language if (self.folder / language / f"{name}.html").exists() else _language(locale)
        return self._part(name, "html", locale, {**values, "locale": locale, "lang": lang})

    def language(self, template: str, locale: str) -> str:
        """The folder a message in this locale really comes from."""
        found = (folder for folder in _folders(locale) if (self.folder / folder / f"{template}.txt").exists())
        return next(found, FALLBACK)

    def version(self, template: str, language: str) -> str:
        """What tells one state of a template from another: a digest of its files and what they include."""
        key = (template, language)
        if key not in self._versions:
            files = sorted((self.folder / language).glob(f"{template}.*"))
            files += sorted({self.folder / name for file in files for name in self._included(file)})
            self._versions[key] = sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]
        return self._versions[key]

    def _included(self, file: Path) -> Iterator[str]:
        source = self._environment.parse(file.read_text(encoding="utf-8"))
        return (name for name in meta.find_referenced_templates(source) if name is not None)

    def words(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """What a language calls the codes that facts carry, by field and code."""
        found: Mapping[str, Mapping[str, str]] = self._environment.get_template(
            f"{language}/codes.txt"
        ).module.words  # type: ignore[attr-defined]
        return found

    def variables(self, name: str) -> set[str]:
        """Every variable a template file mentions, on whatever path through it."""
        source, *_ = self._environment.loader.get_source(self._environment, name)  # type: ignore[union-attr]
        return meta.find_undeclared_variables(self._environment.parse(source))

    def _html(self, template: str, locale: str, given: Mapping[str, Any], subject: str, text: str) -> str:
        own = [f"{folder}/{template}.html" for folder in _folders(locale)]
        name = next((name for name in own if (self.folder / name).exists()), None)
        if name is not None and name.startswith(f"{given['lang']}/"):
            return self._environment.get_template(name).render(given)
        return self._environment.get_template("message.html").render(
            lang=given["lang"], title=subject, blocks=blocks(text)
        )

    def _part(self, template: str, part: str, locale: str, values: Mapping[str, Any]) -> str:
        names = [f"{folder}/{template}.{part}" for folder in _folders(locale)]
        try:
            found = self._environment.select_template(names)
        except TemplateNotFound as error:
            raise NotRenderable(f"there is no template {names[-1]}") from error
        return found.render(values)


def _folders(locale: str) -> list[str]:
    """es-MX, then es, then English."""
    return list(dict.fromkeys([locale.replace("_", "-"), _language(locale), FALLBACK]))


def _language(locale: str) -> str:
    return locale.replace("_", "-").partition("-")[0].lower()


def babel_locale(locale: str) -> Locale:
    """The conventions of a locale; those of English where nobody knows it."""
    name = locale.replace("-", "_")
    try:
        return Locale.parse(_AT_HOME.get(name.lower(), name))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse(_AT_HOME[FALLBACK])


def _locale_of(context: Context) -> Locale:
    """Of the language the text is written in: a German date in an English sentence helps nobody."""
    locale, lang = str(context.get("locale", FALLBACK)), str(context.get("lang", FALLBACK))
    return babel_locale(locale if _language(locale) == lang.partition("-")[0] else lang)


@pass_context
def money(context: Context, cents: int, currency: str = "USD") -> str:
    """An amount as its reader writes it."""
    return format_currency(Decimal(int(cents)) / 100, currency, locale=_locale_of(context))


@pass_context
def _percent(context: Context, text: str) -> str:
    """A percentage, given as decimal text, as its reader writes it: "7.5%" and "7,5 %"."""
    share = Decimal(text) / 100
    return format_percent(share, locale=_locale_of(context), decimal_quantization=False)


@pass_context
def _day(context: Context, text: str) -> str:
    """The day with its month in letters: no order of numbers that another country reads otherwise."""
    return format_date(date.fromisoformat(str(text)), "long", locale=_locale_of(context))


@pass_context
def _month(context: Context, period: str) -> str:
    """The month as "September 2026"; a period that is no month is shown as it is."""
    if re.fullmatch(r"\d{4}-\d{2}", period) is None:
        return period
    locale = _locale_of(context)
    return format_skeleton("yMMMM", date.fromisoformat(f"{period}-01"), locale=locale)


@pass_context
def _dated(context: Context, text: str) -> str:
    """The same text with the days and months in it as its reader writes them."""
    return _ISO.sub(
        lambda found: _day(context, found[0]) if found["day"] else _month(context, found[0]), str(text)
    )


@pass_context
def _moment(context: Context, instant: str) -> str:
    """A moment on the clock at the property: "Tue, Sep 1, 4:30 PM", and in Spanish "mar 1 sept, 16:30"."""
    locale, here = _locale_of(context), _here(context, instant)
    if (
        locale.language != FALLBACK
    ):  # "8:00 p.m." costs a text message of its own, and ends a sentence too early
        return format_datetime(here, "EEE d MMM, HH:mm", locale=locale)
    day = format_skeleton("MMMEd", here, locale=locale)
    return _SPACES.sub(" ", f"{day}, {format_time(here, 'short', locale=locale)}")


@pass_context
def _zone_name(context: Context, instant: str) -> str:
    """By which clock that moment is, for people: "Eastern Daylight Time" and not "America/New_York"."""
    return get_timezone_name(_here(context, instant), "long", locale=_locale_of(context))


def _here(context: Context, instant: str) -> datetime:
    """A moment on the clock at the property."""
    zone = get_timezone(str(context.get("zone") or "UTC"))
    return datetime.fromisoformat(str(instant)).astimezone(zone)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or lines of "label: value" that belong into a table."""

    lines: tuple[str, ...]
    table: tuple[tuple[str, str], ...] = ()


def blocks(text: str) -> list[Block]:
    """The paragraphs of a plain text; indented "label: value" lines are a table."""
    return [_block(part) for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip("\n"))]


def rows(text: str) -> list[Block]:
    """The same, for templates."""
    return blocks(text)


def _block(part: str) -> Block:
    lines = tuple(line for line in part.split("\n") if line.strip())
    matches = [_ROW.match(line) for line in lines]
    if lines and all(matches):
        return Block((), tuple((found["label"], found["value"]) for found in matches if found))
    return Block(tuple(line.strip() for line in lines))

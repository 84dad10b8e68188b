"""From a template and a notice's numbers to what a person reads. A tenant's data is never a template."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import SandboxedEnvironment

from shared.money import format_cents

FOLDER: Final = Path(__file__).parent / "templates"
FALLBACK: Final = "en"


class NotRenderable(Exception):
    """A template that is missing, wrong, or was not given all it needs: a defect of ours."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message, for every channel."""

    subject: str
    text: str
    html: str


class Templates:
    """The templates of all locales; one that a language lacks is taken from English."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Reads each template when it is first needed."""
        self._environment = SandboxedEnvironment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["money"] = format_cents
        self._environment.filters["day"] = _day
        self._environment.filters["month"] = _month

    def render(self, template: str, locale: str, values: Mapping[str, Any]) -> Rendered:
        """Subject, text and HTML; raises `NotRenderable` rather than leave a gap."""
        try:
            subject = self._part(template, "subject", locale, values)
            return Rendered(
                subject=" ".join(subject.split()),  # a header is one line, whatever a name contains
                text=self._part(template, "txt", locale, values),
                html=self._part(template, "html", locale, values),
            )
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            message = f"{template}: {type(error).__name__}: {error}"
            raise NotRenderable(message) from error

    def _part(self, template: str, part: str, locale: str, values: Mapping[str, Any]) -> str:
        names = [f"{folder}/{template}.{part}" for folder in _folders(locale)]
        try:
            found = self._environment.select_template(names)
        except TemplateNotFound as error:
            raise NotRenderable(f"there is no template {names[-1]}") from error
        return found.render(values)


def _folders(locale: str) -> list[str]:
    """es-MX, then es, then English."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return list(dict.fromkeys([locale.replace("_", "-"), language, FALLBACK]))


def _day(text: str) -> str:
    """The day as "1 September 2026": no order of numbers that another country reads otherwise."""
    day = date.fromisoformat(text)
    return f"{day.day} {day:%B %Y}"


def _month(period: str) -> str:
    return f"{date.fromisoformat(f'{period}-01'):%B %Y}"

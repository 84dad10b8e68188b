"""The texts: complete in both languages, each money and date as its reader writes it, and never half of one."""

import shutil
from pathlib import Path

import pytest

from services.notifications.checking import names, problems, rendered_example
from services.notifications.domain.kinds import KINDS
from services.notifications.rendering import FOLDER, LOCALES, Templates


def test_every_message_is_complete_in_every_language() -> None:
    assert list(problems(Templates())) == []


def test_every_kind_of_message_has_its_templates() -> None:
    assert set(names()) == {*KINDS, "digest"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the templates, to break."""
    return Path(shutil.copytree(FOLDER, tmp_path / "templates"))


def test_a_variable_that_no_message_has_is_found_by_the_check(folder: Path) -> None:
    broken = folder / "es" / "overdue.sms"
    broken.write_text(broken.read_text() + "{% if False %}{{ tenant_nmae }}{% endif %}")

    assert list(problems(Templates(folder))) == ["es/overdue.sms: tenant_nmae is in no message of this kind"]


def test_a_file_that_is_missing_is_found_by_the_check(folder: Path) -> None:
    (folder / "es" / "receipt.txt").unlink()

    assert list(problems(Templates(folder))) == ["es/receipt: has no txt"]


def test_a_text_that_takes_too_many_messages_is_found_by_the_check(folder: Path) -> None:
    (folder / "en" / "receipt.sms").write_text("x" * 400)

    assert list(problems(Templates(folder))) == ["en/receipt.sms: takes 3 text messages; 2 is the most"]


def test_a_version_changes_with_any_file_of_its_template(folder: Path) -> None:
    before = Templates(folder).version("invoice", "en")
    (folder / "en" / "invoice.sms").write_text("new")

    assert Templates(folder).version("invoice", "en") != before


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "$1,550.00 due 1 September 2026"),
        ("es", "$1,550.00, vence el 1 de septiembre de 2026"),
        ("es-MX", "USD1,550.00, vence el 1 de septiembre de 2026"),
        ("es_ES", "1.550,00 US$, vence el 1 de septiembre de 2026"),
        ("de", "$1,550.00 due 1 September 2026"),
        ("tlh", "$1,550.00 due 1 September 2026"),
    ],
)
def test_money_and_dates_are_written_as_the_reader_writes_them(locale: str, said: str) -> None:
    subject = rendered_example(Templates(), "invoice", locale).subject.replace("\u00a0", " ")

    assert said in subject


def test_times_are_those_of_the_clock_at_the_property() -> None:
    text = rendered_example(Templates(), "weather_raised", "en").text

    assert "Until: Wed 15 Jul, 8:00" in text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", names())
def test_every_html_is_whole_in_its_language_and_says_what_the_text_says(template: str, locale: str) -> None:
    rendered = rendered_example(Templates(), template, locale)

    assert f'<html lang="{locale}">' in rendered.html
    assert rendered.html.rstrip().endswith("</html>")
    assert "{{" not in rendered.html + rendered.text + rendered.subject
    assert "None" not in rendered.text


def test_a_weather_text_cannot_become_markup() -> None:
    templates = Templates()
    from services.notifications.checking import example

    values = example(templates, "weather_raised") | {"headline": "<script>alert(1)</script> {{ 7 * 7 }}"}

    rendered = templates.render("weather_raised", "en", values)

    assert "<script>" not in rendered.html
    assert "49" not in rendered.html

"""The texts: complete in both languages, each money and date as its reader writes it, and never half of one."""

import json
import re
import shutil
from pathlib import Path

import pytest

from services.billing.domain.fee_rules import KINDS as KINDS_OF_FEE
from services.notifications.checking import example, names, problems, rendered_example
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


def test_a_stage_whose_text_cannot_be_made_is_found_by_the_check(folder: Path) -> None:
    path = folder / "examples" / "reminder.stages.json"
    path.write_text(json.dumps({"7": {"items": [{"number": "INV-1"}]}}))

    assert [line.partition(": ")[0] for line in problems(Templates(folder))] == [
        "en/reminder at stage 7",
        "es/reminder at stage 7",
    ]


def test_a_version_changes_with_any_file_of_its_template(folder: Path) -> None:
    before = Templates(folder).version("invoice", "en")
    (folder / "en" / "invoice.sms").write_text("new")

    assert Templates(folder).version("invoice", "en") != before


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "$1,550.00 due September 1, 2026"),
        ("es", "$1,550.00, vence el 1 de septiembre de 2026"),
        ("es-MX", "USD1,550.00, vence el 1 de septiembre de 2026"),
        ("es_ES", "1.550,00 US$, vence el 1 de septiembre de 2026"),
        ("en-GB", "US$1,550.00 due 1 September 2026"),
        ("de", "$1,550.00 due September 1, 2026"),
        ("tlh", "$1,550.00 due September 1, 2026"),
    ],
)
def test_money_and_dates_are_written_as_the_reader_writes_them(locale: str, said: str) -> None:
    subject = rendered_example(Templates(), "invoice", locale).subject.replace("\u00a0", " ")

    assert said in subject


def test_times_are_those_of_the_clock_at_the_property() -> None:
    text = rendered_example(Templates(), "weather_raised", "en").text

    assert "Until: Wed, Jul 15, 8:00 PM" in text


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
    values = example(templates, "weather_raised") | {"headline": "<script>alert(1)</script> {{ 7 * 7 }}"}

    rendered = templates.render("weather_raised", "en", values)

    assert "<script>" not in rendered.html
    assert "49" not in rendered.html


@pytest.mark.parametrize("template", sorted({path.stem for path in FOLDER.glob("e?/*.html")}))
def test_what_has_html_of_its_own_has_it_in_every_language(template: str) -> None:
    assert all((FOLDER / locale / f"{template}.html").exists() for locale in LOCALES)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_last_paragraph_of_an_announcement_is_no_small_print(locale: str) -> None:
    html = rendered_example(Templates(), "announcement", locale).html

    assert "<p>Please fill a bucket before.</p>" in html


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", names())
def test_the_sentence_after_the_salutation_begins_with_a_capital(template: str, locale: str) -> None:
    text = rendered_example(Templates(), template, locale).text
    first = re.match(r"(?:Hello|Hola,) Ann Example[,:]\n\n(\S)", text)

    assert first is None or not first[1].islower()


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Rent November 5, 2026 to November 30, 2026: $1,300.00"),
        ("es", "Renta 5 de noviembre de 2026 a 30 de noviembre de 2026: $1,300.00"),
    ],
)
def test_the_rent_of_an_invoice_is_named_in_the_readers_language(locale: str, said: str) -> None:
    line = {"kind": "rent", "description": "Rent 2026-11-05 to 2026-11-30", "amount_cents": 130_000}
    values = example(Templates(), "invoice") | {"lines": [line]}

    rendered = Templates().render("invoice", locale, values)

    assert said in rendered.text
    assert said.partition(":")[0] in rendered.html


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", ["late_fee", "office"])
@pytest.mark.parametrize("rule", [*KINDS_OF_FEE, "interest"])
def test_a_fee_is_explained_in_words_and_not_by_the_name_of_its_rule(
    template: str, locale: str, rule: str
) -> None:
    named = rule if rule == "interest" else f"{rule}.1"
    values = example(Templates(), template) | {"rule": named}

    text = Templates().render(template, locale, values).text

    assert f": {named}\n" not in text
    assert re.search(r"^  (Rule|Regla): \w+ .*\w$", text, re.MULTILINE)


@pytest.mark.parametrize("locale", LOCALES)
def test_a_receipt_for_money_on_account_names_no_invoice(locale: str) -> None:
    values = example(Templates(), "receipt") | {"invoice_number": "", "balance_cents": 0}

    rendered = Templates().render("receipt", locale, values)

    said = (rendered.subject + rendered.text + rendered.html).lower()
    assert "invoice" not in said
    assert "factura" not in said


@pytest.mark.parametrize("locale", LOCALES)
def test_a_digest_is_in_one_language_and_says_once_that_it_is_automatic(locale: str) -> None:
    text = rendered_example(Templates(), "digest", locale).text

    assert ("Hello" in text, "Hola" in text) == (locale == "en", locale == "es")
    assert "automátic" not in text
    assert "automatic" not in text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", names())
def test_no_text_names_a_time_zone_as_a_computer_does(template: str, locale: str) -> None:
    rendered = rendered_example(Templates(), template, locale)

    assert "America/" not in rendered.subject + rendered.text + rendered.html + rendered.sms


def test_a_clock_is_named_as_its_readers_name_it() -> None:
    english, spanish = (rendered_example(Templates(), "signing_link", locale).text for locale in LOCALES)

    assert "Tue, Sep 8, 10:00 AM (Eastern Daylight Time)" in english
    assert "mar 8 sept, 10:00 (hora de verano oriental)" in spanish

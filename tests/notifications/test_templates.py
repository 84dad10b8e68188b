"""The texts: complete in both languages, each money and date as its reader writes it, and never half of one."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from services.billing.domain.fee_rules import KINDS as KINDS_OF_FEE
from services.billing.domain.fee_workings import Way
from services.notifications.checking import example, names, problems, rendered_example
from services.notifications.domain.kinds import KINDS
from services.notifications.rendering import FOLDER, LOCALES, Templates
from shared.contracts.billing import FeeLimit, FeeWorking, LateStretch


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


def test_a_version_changes_with_what_its_template_includes(folder: Path) -> None:
    before = Templates(folder).version("late_fee", "es")
    (folder / "es" / "fee_rules.txt").write_text("{# new #}")

    assert Templates(folder).version("late_fee", "es") != before


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


WORKING = FeeWorking(way="fixed", comes_to_cents=7_500)
NEW_YORK = FeeLimit(law="New York", most_cents=5_000, left_cents=4_000)
INTEREST = {"way": "interest", "percent": "7.5", "comes_to_cents": 7_500}
STRETCHES = (LateStretch(late_cents=150_000, days=1), LateStretch(late_cents=100_000, days=30))


@pytest.mark.parametrize(
    ("changes", "english", "spanish"),
    [
        ({}, "a fixed amount = $75.00", "un importe fijo = $75.00"),
        (
            {"nth": 3, "every": "day"},
            "day 3: a fixed amount = $75.00",
            "día 3: un importe fijo = $75.00",
        ),
        (
            {"way": "percent_of_rent", "percent": "5", "of_cents": 150_000},
            "5% of the rent of $1,500.00 = $75.00",
            "5% de la renta de $1,500.00 = $75.00",
        ),
        (
            {"way": "percent_of_late_balance", "percent": "7.5", "of_cents": 100_000, "posted_cents": 9_000},
            "7.5% of what is late, $1,000.00 = $75.00; $90.00 had been charged before",
            "7.5% de lo atrasado, $1,000.00 = $75.00; antes se habían cobrado $90.00",
        ),
        (
            {"way": "tier", "of_cents": 90_000, "up_to_cents": 100_000, "plus_cents": 3_000, "percent": "5"},
            "for a rent of $900.00 (up to $1,000.00), $30.00 and 5% of it = $75.00",
            "para una renta de $900.00 (hasta $1,000.00), $30.00 y 5% de ella = $75.00",
        ),
        (
            {"way": "tiers", "of_cents": 90_000, "limit": NEW_YORK},
            (
                "tier by tier, up to the rent of $900.00 = $75.00, limited to $40.00: the law (New York) allows "
                "$50.00 for one invoice at most"
            ),
            (
                "tramo por tramo, hasta la renta de $900.00 = $75.00, limitado a $40.00: la ley (New York) "
                "permite $50.00 por factura como máximo"
            ),
        ),
        (
            {"limit": FeeLimit(most_cents=5_000, left_cents=5_000)},
            "a fixed amount = $75.00, limited to $50.00: the agreement allows $50.00 for one invoice at most",
            "un importe fijo = $75.00, limitado a $50.00: lo acordado permite $50.00 por factura como máximo",
        ),
        (
            INTEREST | {"stretches": STRETCHES, "further_days": 1},
            (
                "7.5% a year of $1,500.00 for 1 day, then $1,000.00 for 30 days, then other amounts for 1 day "
                "= $75.00 in all"
            ),
            (
                "7.5% al año de $1,500.00 durante 1 día, luego $1,000.00 durante 30 días, luego otros importes "
                "durante 1 día = $75.00 en total"
            ),
        ),
        ({"way": "by_moonlight"}, "in words of billing", "in words of billing"),
    ],
)
@pytest.mark.parametrize("template", ["late_fee", "office"])
def test_how_a_fee_was_worked_out_is_said_in_the_readers_language(
    template: str, changes: dict[str, Any], english: str, spanish: str
) -> None:
    working = WORKING.model_copy(update=changes).model_dump(mode="json")
    values = example(Templates(), template) | {"working": working, "formula": "in words of billing"}

    said = [Templates().render(template, locale, values).text for locale in LOCALES]

    assert f": {english}\n" in said[0]
    assert f": {spanish}\n" in said[1].replace("\u00a0", " ")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("way", get_args(Way))
def test_every_way_that_billing_knows_has_its_words(way: str, locale: str) -> None:
    working = WORKING.model_copy(update={"way": way, "percent": "5", "of_cents": 150_000})
    values = example(Templates(), "late_fee") | {"working": working.model_dump(mode="json"), "formula": "?"}

    assert ": ?\n" not in Templates().render("late_fee", locale, values).text


@pytest.mark.parametrize("locale", LOCALES)
def test_a_fee_that_was_told_without_its_values_is_explained_by_its_formula(locale: str) -> None:
    values = {**example(Templates(), "late_fee"), "formula": "5 % of it"}
    del values["working"]

    assert ": 5 % of it\n" in Templates().render("late_fee", locale, values).text


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
